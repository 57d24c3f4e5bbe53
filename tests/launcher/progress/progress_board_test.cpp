#include "launcher/progress/progress_board.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/str_cat.hpp"
#include "launcher/job/store_link.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::progress;
using namespace mdl::rendezvous::server;

namespace {

/// A store with what some have put there, and one who reads it.
struct ReadStore {
  ReadStore() { server.start(); }

  /// Runs what uses the store.
  template <typename Use>
  void with_link(Use use) {
    bool done = false;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          job::StoreLink link([this] { return job::StorePlace{Endpoint("127.0.0.1", server.port()), {}}; });
          co_await link.open();
          co_await use(link.store());
        },
        [&](const std::exception_ptr& failure) { done = !failure; });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done && std::chrono::steady_clock::now() < deadline) { io.run_one_for(std::chrono::milliseconds(5)); }
    CHECK(done);
  }
  ProgressBoard::View read(std::int64_t nodes, bool wants_events = true) {
    std::vector<std::string> keys = server.list_keys();
    std::ranges::sort(keys);
    ProgressBoard::View view;
    with_link([&](rendezvous::client::TcpStoreClient& store) -> asio::awaitable<void> {
      view = co_await board.read(store, keys, nodes, wants_events);
    });
    return view;
  }
  bool post(JobEvent& event) {
    bool put = false;
    with_link([&](rendezvous::client::TcpStoreClient& store) -> asio::awaitable<void> {
      put = co_await board.post(store, event);
    });
    return put;
  }
  void event(std::int64_t slot, std::int64_t number) {
    server.set(str_cat("mdl-launch/job/events/at/", slot), to_text(JobEvent{number, NodeTime(), "h", "k", "t"}));
  }
  void node(std::int64_t rank) {
    NodeSummary summary;
    summary.group_rank = rank;
    server.set(str_cat("mdl-launch/job/progress/", rank), to_text(summary));
  }

  asio::io_context io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  ProgressBoard board{"job"};
};

}  // namespace

TEST_CASE("what nodes have told is read of as many as there are, and events from the oldest to the newest") {
  ReadStore store;
  for (std::int64_t rank = 0; rank < 40; ++rank) { store.node(rank); }
  store.event(0, 64);
  store.event(1, 33);
  store.event(31, 63);
  store.event(32, 5);  // there is no such place
  store.server.set("mdl-launch/job/events/at/2", "something else");
  store.server.set("mdl-launch/other/events/at/3", to_text(JobEvent{34, NodeTime(), "h", "k", "t"}));
  const auto view = store.read(39);
  CHECK((view.nodes.size() == 39 && view.nodes.contains(38)));
  std::vector<std::int64_t> numbers;
  for (const JobEvent& event : view.events) { numbers.push_back(event.number); }
  CHECK(numbers == std::vector<std::int64_t>{33, 63, 64});
  const auto without = store.read(2, false);
  CHECK((without.events.empty() && without.nodes.size() == 2));
}

TEST_CASE("kinds of events are printable, counted by numbers, and few, whoever has put them there") {
  ReadStore store;
  store.server.set("mdl-launch/job/events/of/restart", "3");
  store.server.set("mdl-launch/job/events/of/hang\x1b[2J", "1");
  store.server.set("mdl-launch/job/events/of/many", "many");
  store.server.set("mdl-launch/job/events/of/", "1");
  store.server.set("mdl-launch/job/events/off", "1");
  store.server.set("mdl-launch/job/events/of/" + std::string(100, 'x'), "2");
  CHECK(store.read(0).event_counts ==
        std::map<std::string, std::int64_t>{{"restart", 3}, {"hang", 1}, {std::string(32, 'x'), 2}});
  for (int i = 10; i < 50; ++i) { store.server.set(str_cat("mdl-launch/job/events/of/a", i), "1"); }
  const auto counts = store.read(0).event_counts;
  CHECK((counts.size() == 31 && counts.contains("a10") && !counts.contains("restart")));  // the first 32 keys
}

TEST_CASE("an event that is put again long after takes a new number, and not the place of a newer one") {
  ReadStore store;
  JobEvent first{0, NodeTime(), "h", "k", "first"};
  REQUIRE((store.post(first) && first.number == 1));
  for (int i = 2; i <= 32; ++i) {
    JobEvent next{0, NodeTime(), "h", "k", "next"};
    store.post(next);
  }
  CHECK((store.post(first) && first.number == 1));  // its place is its own still
  JobEvent newer{0, NodeTime(), "h", "k", "newer"};
  store.post(newer);
  CHECK((store.post(first) && first.number == 34));
  const auto events = store.read(0).events;
  REQUIRE(events.size() == 32);
  CHECK((events.front().number == 3 && events[30].text == "newer" && events.back().text == "first"));
}

TEST_CASE("a count of the events that is negative is none") {
  ReadStore store;
  store.server.set("mdl-launch/job/events/count", "9223372036854775807");
  JobEvent event{0, NodeTime(), "h", "k", "t"};
  CHECK_FALSE(store.post(event));
  event.number = 5;
  CHECK_FALSE(store.post(event));
  CHECK(store.read(0).events.empty());
}

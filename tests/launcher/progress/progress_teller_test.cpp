#include "launcher/progress/progress_teller.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "common/str_cat.hpp"
#include "launcher/progress/progress_board.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::progress;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

namespace {

/// A store and a node that tells it of one worker.
struct TellingNode {
  TellingNode()
      : teller(io, run.path(), "job", [this] { return place; }),
        place(job::StorePlace{Endpoint("127.0.0.1", server.port()), {}}) {
    server.start();
  }
  ~TellingNode() { io.end(); }

  std::string begin(std::int64_t round, std::int64_t group_rank = 0) {
    return teller.begin({round, group_rank, 4, 1}).at(0).string();
  }
  static void say(const std::string& path, const std::string& text) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    REQUIRE(::sendto(socket.get(), text.data(), text.size(), 0, where, sizeof address) >= 0);
  }
  std::optional<NodeSummary> told(std::int64_t group_rank = 0) {
    const auto text = server.get(str_cat("mdl-launch/job/progress/", group_rank));
    return text ? node_summary_from_text(*text) : std::nullopt;
  }
  template <typename Condition>
  bool run_to(Condition condition, std::chrono::milliseconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  test::TempDir run;
  Loop io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  ProgressTeller teller;
  std::optional<job::StorePlace> place;
};

/// Stands between a node and its store, and cuts the connection instead of passing on what has `word` in it.
class CuttingRelay {
 public:
  CuttingRelay(asio::io_context& io, std::uint16_t store)
      : io_(io), store_(asio::ip::address_v4::loopback(), store), acceptor_(io, {asio::ip::address_v4::loopback(), 0}) {
    asio::co_spawn(io, accept(), asio::detached);
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void cut_at(std::string word, int times) {
    word_ = std::move(word);
    left_ = times;
  }
  int left() const { return left_; }
  int connections() const { return connections_; }

 private:
  using Socket = std::shared_ptr<asio::ip::tcp::socket>;

  asio::awaitable<void> accept() {
    while (true) {
      const auto inside = std::make_shared<asio::ip::tcp::socket>(io_);
      co_await acceptor_.async_accept(*inside, asio::use_awaitable);
      ++connections_;
      const auto outside = std::make_shared<asio::ip::tcp::socket>(io_);
      co_await outside->async_connect(store_, asio::use_awaitable);
      asio::co_spawn(io_, pass_on(inside, outside), asio::detached);
      asio::co_spawn(io_, pass_on(outside, inside), asio::detached);
    }
  }
  asio::awaitable<void> pass_on(Socket from, Socket to) {
    std::string part(65536, '\0');
    boost::system::error_code error;
    while (!error) {
      const std::size_t size =
          co_await from->async_read_some(asio::buffer(part), asio::redirect_error(asio::use_awaitable, error));
      const bool cuts = left_ > 0 && std::string_view(part).substr(0, size).find(word_) != std::string_view::npos;
      if (error || cuts) { break; }
      co_await asio::async_write(*to, asio::buffer(part.data(), size),
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    if (!error) { --left_; }
    boost::system::error_code ignored;
    from->close(ignored);
    to->close(ignored);
  }

  asio::io_context& io_;
  const asio::ip::tcp::endpoint store_;
  asio::ip::tcp::acceptor acceptor_;
  std::string word_{};
  int left_ = 0;
  int connections_ = 0;
};

}  // namespace

TEST_CASE("a node tells the store what its workers say, once they say something, and each second at most") {
  TellingNode node;
  const std::string socket = node.begin(3, 1);
  CHECK_FALSE(node.run_to([&] { return !node.server.list_keys().empty(); }, 50ms));
  TellingNode::say(socket, R"({"step": 1})");
  REQUIRE(node.run_to([&] { return node.told(1).has_value(); }));
  const auto first = node.told(1);
  CHECK((first->round == 3 && first->group_rank == 1 && first->first_rank == 4 && first->ranks.size() == 1));
  CHECK(first->ranks[0].step == 1);
  TellingNode::say(socket, R"({"step": 2})");
  REQUIRE(node.run_to([&] { return node.told(1)->ranks[0].step == 2; }));
  CHECK(node.told(1)->written - first->written >= 990ms);
}

TEST_CASE("what is told of workers that say nothing more is told again, so that its age is known") {
  TellingNode node;
  TellingNode::say(node.begin(0), R"({"step": 1})");
  REQUIRE(node.run_to([&] { return node.told().has_value(); }));
  const auto first = node.told();
  REQUIRE(node.run_to([&] { return node.told()->written != first->written; }));
  CHECK(node.told()->written - first->written >= 4990ms);
  CHECK(*node.told()->ranks[0].age >= 4.9);
}

TEST_CASE("what the workers of the attempt before have said is forgotten") {
  TellingNode node;
  TellingNode::say(node.begin(0), R"({"step": 70, "total": 90, "loss": 1})");
  REQUIRE(node.run_to([&] { return node.told().has_value(); }));
  const std::string socket = node.begin(1);
  TellingNode::say(socket, R"({"step": 2})");
  REQUIRE(node.run_to([&] { return node.told()->round == 1; }));
  CHECK((node.told()->ranks[0].step == 2 && !node.told()->ranks[0].total && !node.told()->ranks[0].loss));
  node.teller.end();
  const auto last = node.told();
  CHECK_FALSE(node.run_to([&] { return node.told() != last; }, 100ms));
}

TEST_CASE("events are told at once, the last ones are kept, and the store does not grow with them") {
  TellingNode node;
  for (int i = 1; i <= 5; ++i) { node.teller.happened("restart", str_cat("number ", i)); }
  const auto count = [&] { return node.server.get("mdl-launch/job/events/count").value_or("0"); };
  REQUIRE(node.run_to([&] { return count() == "5"; }));
  const auto keys = [&] { return static_cast<std::int64_t>(node.server.list_keys().size()); };
  for (int i = 6; i <= 60; ++i) {
    node.teller.happened("restart", str_cat("number ", i));
    REQUIRE(node.run_to([&] { return count() == std::to_string(i); }));
  }
  std::optional<JobEvent> last;
  CHECK(node.run_to([&] {
    last = job_event_from_text(*node.server.get(str_cat("mdl-launch/job/events/at/", 60 % ProgressBoard::kEvents)));
    return last && last->number == 60;
  }));
  CHECK((last->kind == "restart" && last->text == "number 60" && !last->host.empty()));
  CHECK(node.run_to([&] { return node.server.get("mdl-launch/job/events/of/restart") == "60"; }));
  CHECK(keys() == ProgressBoard::kEvents + 2);
}

TEST_CASE("a store that cannot be reached costs a node nothing but an attempt now and then") {
  TellingNode node;
  node.place->address.port = 1;
  TellingNode::say(node.begin(0), R"({"step": 1})");
  node.teller.happened("restart", "one");
  CHECK_FALSE(node.run_to([&] { return node.told().has_value(); }, 200ms));
  node.place->address.port = node.server.port();
  CHECK(node.run_to([&] { return node.told().has_value(); }));
  CHECK(node.run_to([&] { return node.server.get("mdl-launch/job/events/count") == "1"; }));
}

TEST_CASE("an event that the store has not taken when it failed is told when it is back, and is there once") {
  TellingNode node;
  CuttingRelay relay(node.io, node.server.port());
  node.place->address.port = relay.port();
  relay.cut_at(GENERATE("events/count", "events/at/", "events/of/"), 1);
  node.teller.happened("restart", "one");
  REQUIRE(node.run_to([&] { return relay.left() == 0; }));
  REQUIRE(node.run_to([&] { return node.server.get("mdl-launch/job/events/of/restart").has_value(); }));
  node.teller.happened("restart", "two");
  REQUIRE(node.run_to([&] { return node.server.get("mdl-launch/job/events/of/restart") == "2"; }));
  CHECK(node.server.get("mdl-launch/job/events/count") == "2");
  for (int number : {1, 2}) {
    const auto text = node.server.get(str_cat("mdl-launch/job/events/at/", number));
    const auto event = text ? job_event_from_text(*text) : std::nullopt;
    REQUIRE(event);
    CHECK((event->number == number && event->text == (number == 1 ? "one" : "two")));
  }
}

TEST_CASE("an event that was begun to be told to one store is told to the next one as its first") {
  TellingNode node;
  node.server.set("mdl-launch/job/events/count", "70");
  CuttingRelay relay(node.io, node.server.port());
  node.place->address.port = relay.port();
  relay.cut_at("events/at/", 1);
  node.teller.happened("restart", "one");
  REQUIRE(node.run_to([&] { return relay.left() == 0; }));
  node.server.erase("mdl-launch/job/events/count");
  REQUIRE(node.run_to([&] { return node.server.get("mdl-launch/job/events/at/1").has_value(); }));
  CHECK(job_event_from_text(*node.server.get("mdl-launch/job/events/at/1"))->number == 1);
}

TEST_CASE("an event that the store never takes does not hold up what the workers say") {
  TellingNode node;
  CuttingRelay relay(node.io, node.server.port());
  node.place->address.port = relay.port();
  relay.cut_at("events/at/", 1000);
  node.teller.happened("restart", "one");
  TellingNode::say(node.begin(0), R"({"step": 1})");
  CHECK(node.run_to([&] { return node.told().has_value(); }));
  CHECK(relay.left() >= 999);  // with the first attempt, and not after the last
}

TEST_CASE("what others have put in the place of the events' numbers costs these, and no connection") {
  TellingNode node;
  CuttingRelay relay(node.io, node.server.port());
  node.place->address.port = relay.port();
  node.server.set("mdl-launch/job/events/count", "rubbish");
  node.server.set("mdl-launch/job/events/of/restart", "rubbish");
  node.teller.happened("restart", "one");
  node.teller.happened("restart", "two");
  const std::string socket = node.begin(0);
  TellingNode::say(socket, R"({"step": 1})");
  REQUIRE(node.run_to([&] { return node.told().has_value(); }));
  TellingNode::say(socket, R"({"step": 2})");
  REQUIRE(node.run_to([&] { return node.told()->ranks[0].step == 2; }));  // after the events
  node.server.erase("mdl-launch/job/events/count");
  node.teller.happened("restart", "three");
  REQUIRE(node.run_to([&] { return node.server.get("mdl-launch/job/events/at/1").has_value(); }));
  CHECK(job_event_from_text(*node.server.get("mdl-launch/job/events/at/1"))->text == "three");
  node.teller.happened("failed", "four");
  REQUIRE(node.run_to([&] { return node.server.get("mdl-launch/job/events/of/failed") == "1"; }));
  CHECK(node.server.get("mdl-launch/job/events/of/restart") == "rubbish");
  CHECK(relay.connections() == 1);
}

TEST_CASE("where nodes have no store in common nothing is told") {
  TellingNode node;
  node.place.reset();
  node.teller.happened("restart", "one");
  TellingNode::say(node.begin(0), R"({"step": 1})");
  CHECK_FALSE(node.run_to([&] { return !node.server.list_keys().empty(); }, 100ms));
}

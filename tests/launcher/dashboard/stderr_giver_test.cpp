#include "launcher/dashboard/stderr_giver.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "launcher/dashboard/stderr_asker.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::dashboard;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A store, a page's asker, and a node with ranks 8 and 9.
struct AskedNode {
  AskedNode() : giver(io, "job", where(), lines(), pace()), asker(io, "job", where()) { server.start(); }
  ~AskedNode() { io.end(); }

  job::PlaceOfStore where() {
    return [this] { return job::StorePlace{Endpoint("127.0.0.1", server.port()), {}, {}}; };
  }
  static StderrGiver::Lines lines() {
    return [](int local_rank) { return std::vector<std::string>(1, "of local rank " + std::to_string(local_rank)); };
  }
  static GiverPace pace() {
    GiverPace pace;
    pace.first = pace.apart = 1ms;
    return pace;
  }
  void announce() {
    bool done = false;
    asio::co_spawn(io, [this] { return asker.announce(); }, [&](const std::exception_ptr&) { done = true; });
    run_to([&] { return done; });
  }
  json ask(std::int64_t rank) {
    std::optional<std::string> text;
    asio::co_spawn(
        io, [this, rank] { return asker.lines_of(rank, 1); },
        [&](const std::exception_ptr&, std::string answer) { text = std::move(answer); });
    run_to([&] { return text.has_value(); });
    return json::parse(text.value_or("null"));
  }
  template <typename Condition>
  void run_to(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  Loop io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  StderrGiver giver;
  StderrAsker asker;
};

}  // namespace

TEST_CASE("a node answers the page what its workers have written, in this attempt and the next") {
  AskedNode node;
  node.announce();
  node.giver.begin({1, 8, 2});
  const json answer = node.ask(9);
  CHECK((answer["rank"] == 9 && answer["lines"] == json::array({"of local rank 1"}) && answer["time"] > 1.7e9));
  CHECK(node.ask(8)["lines"] == json::array({"of local rank 0"}));
  node.giver.begin({1, 4, 2});
  CHECK(node.ask(4)["lines"] == json::array({"of local rank 0"}));
  for (const std::int64_t rank : {3, 6, 8}) {  // other nodes': it has none of it
    CHECK(node.ask(rank)["lines"] == json::array());
  }
  // Nothing is left behind but that there is a page.
  const std::vector<std::string> keys = node.server.list_keys();
  CHECK(keys == std::vector<std::string>{"mdl-launch/job/stderr/open"});
}

TEST_CASE("a node of a job without a page looks once, and a question to it is not answered") {
  AskedNode node;
  node.giver.begin({1, 8, 2});
  const json answer = node.ask(9);
  CHECK((answer["error"] == "no_answer" && answer["seconds"] == 3.0));
}

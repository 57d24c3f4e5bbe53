#include "launcher/hang/evidence_giver.hpp"

#include <boost/asio/local/datagram_protocol.hpp>
#include <catch2/catch.hpp>

#include "common/str_cat.hpp"
#include "launcher/hang/evidence_board.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::hang;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

namespace {

/// A store, and a node without workers that may be asked.
struct GivingNode {
  explicit GivingNode(GiverTimes how_often = quick()) : times(how_often) { server.start(); }
  ~GivingNode() { io.end(); }

  std::optional<job::StorePlace> place() const { return job::StorePlace{Endpoint("127.0.0.1", server.port()), {}}; }
  static GiverTimes quick() {
    GiverTimes times;
    times.silent = times.first_check = times.last_check = times.unheard = 10ms;
    times.answer_pause = 500ms;
    return times;
  }
  void begin(std::int64_t round, int nodes = 2) {
    sockets = teller.begin({round, 1, 8, 1});
    giver.begin({round, 1, nodes});
  }
  void watched(std::int64_t round) { server.set("mdl-launch/job/watched", std::to_string(round)); }
  void ask(std::int64_t number, std::int64_t round) {
    EvidenceRequest request;
    request.number = number;
    request.round = round;
    server.set("mdl-launch/job/hang/request", to_text(request));
  }
  bool has_answered(std::int64_t number) {
    return server.get(str_cat("mdl-launch/job/hang/answer/", number, "/1")).has_value();
  }
  template <typename Condition>
  bool run_to(Condition condition, std::chrono::milliseconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }

  void hear_a_worker() {
    asio::local::datagram_protocol::socket worker(io, asio::local::datagram_protocol());
    worker.send_to(asio::buffer(std::string(R"({"step":1})")),
                   asio::local::datagram_protocol::endpoint(sockets.at(0).string()));
    REQUIRE(run_to([&] { return teller.heard(); }));
    giver.first_word();
  }

  struct Loop : asio::io_context {
    void end() { shutdown(); }
  };
  const GiverTimes times;
  test::TempDir run;
  Loop io;
  TcpStoreServer server{io, ListenAddress::loopback(), 0};
  progress::ProgressTeller teller{io, run.path(), "job", [this] { return place(); }};
  EvidenceGatherer gatherer{io, teller, [] { return nullptr; }};
  EvidenceGiver giver{io, teller, gatherer, "job", [this] { return place(); }, times};
  std::vector<std::filesystem::path> sockets{};
};

}  // namespace

TEST_CASE("a node whose workers say nothing answers once some node watches, and what is asked of its round alone") {
  GivingNode node;
  node.begin(3);
  node.ask(7, 3);
  CHECK_FALSE(node.run_to([&] { return node.has_answered(7); }, 100ms));
  node.ask(8, 2);
  node.watched(3);
  CHECK_FALSE(node.run_to([&] { return node.has_answered(8); }, 100ms));
  node.ask(9, 3);
  REQUIRE(node.run_to([&] { return node.has_answered(9); }));
  const auto evidence = node_evidence_from_text(*node.server.get("mdl-launch/job/hang/answer/9/1"));
  REQUIRE(evidence);
  CHECK((evidence->request == 9 && evidence->group_rank == 1 && evidence->first_rank == 8 && evidence->ranks.empty()));
}

TEST_CASE("however often a node is asked, it answers now and then, and each question once") {
  GivingNode node;
  node.begin(3);
  node.watched(3);
  node.ask(1, 3);
  REQUIRE(node.run_to([&] { return node.has_answered(1); }));
  const auto first = std::chrono::steady_clock::now();
  node.server.erase("mdl-launch/job/hang/answer/1/1");
  CHECK_FALSE(node.run_to([&] { return node.has_answered(1); }, 700ms));
  node.ask(2, 3);
  REQUIRE(node.run_to([&] { return node.has_answered(2); }));
  node.ask(3, 3);
  const auto second = std::chrono::steady_clock::now();
  REQUIRE(node.run_to([&] { return node.has_answered(3); }));
  CHECK(std::chrono::steady_clock::now() - second >= 400ms);
  CHECK(second - first >= 400ms);
}

TEST_CASE("a question is asked although others have put something else in the place of its number") {
  const auto number = GENERATE("rubbish", "-5", "9223372036854775807");
  CAPTURE(number);
  GivingNode node;
  node.server.set("mdl-launch/job/hang/requests", number);
  std::optional<EvidenceRequest> asked;
  const auto ask = [&]() -> asio::awaitable<void> {
    const rendezvous::access::StoreCredential none;
    auto store = co_await rendezvous::client::TcpStoreClient::connect(node.place()->address, none, 20s);
    const EvidenceBoard board("job");
    asked = co_await board.ask(store, 3);
  };
  asio::co_spawn(node.io, ask, asio::detached);
  REQUIRE(node.run_to([&] { return asked.has_value(); }));
  node.begin(3);
  node.watched(3);
  CHECK(node.run_to([&] { return node.has_answered(asked->number); }));
}

TEST_CASE("a node that is alone, or between two attempts, asks nobody whether it is asked") {
  GivingNode node;
  node.begin(3, 1);
  CHECK_FALSE(node.run_to([&] { return node.server.client_count() > 0; }, 100ms));
  node.watched(4);
  node.begin(4);
  REQUIRE(node.run_to([&] { return node.server.client_count() > 0; }));
  node.giver.end();
  CHECK(node.run_to([&] { return node.server.client_count() == 0; }));
}

TEST_CASE("a node whose workers say their first word late is ready for questions soon after it") {
  GiverTimes times = GivingNode::quick();
  times.first_check = times.last_check = 1h;
  GivingNode node(times);
  node.begin(3);
  // It has looked whether the job is watched, and would do so again in an hour.
  REQUIRE(node.run_to([&] { return node.server.client_count() > 0; }));
  REQUIRE(node.run_to([&] { return node.server.client_count() == 0; }));
  node.ask(1, 3);
  node.hear_a_worker();
  CHECK(node.run_to([&] { return node.has_answered(1); }));
}

#include "rendezvous/c10d/join_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Kind = DeskAnswer::Kind;
using Wish = DeskRequest::Wish;

namespace {

/// A desk, the state in its store, and a clock that the test moves.
struct Office {
  RendezvousDesk desk;
  RendezvousState state;
  RendezvousSettings settings;
  RendezvousMoment now{RendezvousTime(std::chrono::hours(24 * 365 * 56)), std::chrono::steady_clock::time_point(1h)};
  std::uint64_t calls = 0;
  int written = 0;

  Office(std::int64_t min_nodes, std::int64_t max_nodes) {
    settings.min_nodes = min_nodes;
    settings.max_nodes = max_nodes;
  }

  static NodeDesc node(int id) { return {"node" + std::to_string(id), 100, 0}; }

  void pass(std::chrono::milliseconds time) {
    now.utc += time;
    now.steady += time;
  }
  /// Node `id` calls over the line of its own number, or another.
  RendezvousDesk::Called call(int id, Wish wish, std::uint64_t ticket = 1,
                              std::optional<RendezvousDesk::Line> line = {}) {
    DeskRequest request;
    request.number = ++calls;
    request.wish = wish;
    request.run_id = "job";
    request.node = node(id);
    request.ticket = ticket;
    request.settings = settings;
    return desk.call(line.value_or(static_cast<RendezvousDesk::Line>(id)), request, now.steady);
  }
  std::vector<RendezvousDesk::Answer> turn() {
    RendezvousDesk::Turn turn = desk.turn(state, now);
    written += turn.changed ? 1 : 0;
    return std::move(turn.answers);
  }
  /// What the next turn answers on one line.
  static Kind kind_for(const std::vector<RendezvousDesk::Answer>& answers, RendezvousDesk::Line line) {
    for (const auto& answer : answers) {
      if (answer.to == line) { return answer.answer.kind; }
    }
    return Kind::none;
  }
  /// Nodes 0, 1, … join and are in a round; then all stay.
  void begin_round(int nodes) {
    for (int id = 0; id < nodes; ++id) { call(id, Wish::join); }
    REQUIRE(turn().size() == static_cast<std::size_t>(nodes));
    for (int id = 0; id < nodes; ++id) { call(id, Wish::stay); }
    REQUIRE(turn().empty());
  }
  /// All of these live on for a while: they call and turns are made each second.
  std::vector<RendezvousDesk::Answer> live(const std::vector<int>& nodes, int seconds) {
    std::vector<RendezvousDesk::Answer> all;
    for (int i = 0; i < seconds; ++i) {
      pass(1s);
      for (const int id : nodes) { call(id, Wish::stay); }
      for (auto& answer : turn()) { all.push_back(std::move(answer)); }
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a thousand nodes that have called join with one version of the state") {
  Office office(1000, 1000);
  for (int id = 0; id < 1000; ++id) { office.call(id, Wish::join); }
  const auto answers = office.turn();
  CHECK(office.written == 1);
  REQUIRE(answers.size() == 1000);
  std::vector<std::int64_t> ranks;
  for (const auto& [line, answer] : answers) {
    CHECK(answer.kind == Kind::round);
    CHECK(answer.nodes == 1000);
    CHECK(answer.first_addr == "node0");
    ranks.push_back(answer.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  for (std::int64_t rank = 0; rank < 1000; ++rank) { CHECK(ranks[static_cast<std::size_t>(rank)] == rank); }
  CHECK(office.state.complete);
}

TEST_CASE("nodes at the desk and agents that change the state themselves are in one round") {
  Office office(3, 3);
  office.call(0, Wish::join);
  office.call(1, Wish::join);
  CHECK(office.turn().empty());
  CHECK(office.state.participants.size() == 2);
  // An agent of torch's, between two turns.
  const NodeDesc theirs{"torch", 7, 0};
  RendezvousStep step =
      rendezvous_step(office.state, theirs, RendezvousWish::join, office.now, office.now.steady + 1h, office.settings);
  office.state = step.state;
  const auto answers = office.turn();
  CHECK(Office::kind_for(answers, 0) == Kind::round);
  CHECK(Office::kind_for(answers, 1) == Kind::round);
  CHECK(office.state.participants.at(theirs) == 2);
}

TEST_CASE("a call that waits is answered with nothing by the next one, at once") {
  Office office(2, 2);
  CHECK_FALSE(office.call(0, Wish::join).answer);
  office.turn();
  const auto called = office.call(0, Wish::join);
  REQUIRE(called.answer);
  CHECK(called.answer->answer.kind == Kind::none);
  CHECK(called.answer->answer.number == 1);
  CHECK_FALSE(called.turn_due);
}

TEST_CASE("heartbeats alone are written once a second, however many come") {
  Office office(2, 2);
  office.begin_round(2);
  office.written = 0;
  for (int i = 0; i < 100; ++i) {
    office.pass(30ms);
    office.call(0, Wish::stay);
    office.call(1, Wish::stay);
    office.turn();
  }
  CHECK(office.written >= 2);
  CHECK(office.written <= 3);
  CHECK(office.state.last_heartbeats.at(Office::node(0)) >= office.now.utc - 1s);
}

TEST_CASE("a broken connection is a lost node after the grace, long before its heartbeats would be missed") {
  Office office(1, 2);
  office.begin_round(2);
  office.desk.lost(1, office.now.steady);
  office.pass(RendezvousDesk::kGrace - 1ms);
  CHECK(office.turn().empty());
  CHECK(office.state.participants.size() == 2);
  office.pass(1ms);
  CHECK(*office.desk.next_turn(office.state, office.now) == 0us);
  CHECK(Office::kind_for(office.turn(), 0) == Kind::node_lost);
  CHECK(office.state.participants.size() == 1);
  CHECK(office.desk.size() == 1);
}

TEST_CASE("a connection that is remade within the grace changes nothing") {
  Office office(2, 2);
  office.begin_round(2);
  office.desk.lost(1, office.now.steady);
  office.pass(RendezvousDesk::kGrace - 1ms);
  office.call(1, Wish::stay, 1, 71);
  office.turn();
  office.pass(RendezvousDesk::kGrace);
  CHECK(office.turn().empty());
  CHECK(office.state.participants.size() == 2);
}

TEST_CASE("the end of an old connection, after the node has come over a new one, changes nothing") {
  Office office(2, 2);
  office.begin_round(2);
  office.call(1, Wish::stay, 1, 71);
  office.desk.lost(1, office.now.steady);
  office.turn();
  office.pass(2s);
  CHECK(office.turn().empty());
  CHECK(office.state.participants.size() == 2);
}

TEST_CASE("the answer that was lost with its connection is given again over the next") {
  Office office(2, 2);
  office.call(0, Wish::join);
  office.call(1, Wish::join);
  CHECK(office.turn().size() == 2);
  office.desk.lost(1, office.now.steady);
  CHECK(office.call(1, Wish::join, 1, 71).turn_due);
  const auto answers = office.turn();
  REQUIRE(answers.size() == 1);
  CHECK(answers.front().to == 71);
  CHECK(answers.front().answer.kind == Kind::round);
  CHECK(answers.front().answer.round == 0);
}

TEST_CASE("a participant that starts again has its place before a spare node that calls at the same time") {
  Office office(2, 2);
  for (const int id : {1, 2}) { office.call(id, Wish::join); }
  REQUIRE(office.turn().size() == 2);
  office.call(0, Wish::join);  // the first of all by its name
  CHECK(Office::kind_for(office.turn(), 0) == Kind::spare);
  office.call(0, Wish::join);
  office.call(1, Wish::stay);
  office.call(2, Wish::join, 2);
  auto answers = office.turn();
  CHECK(Office::kind_for(answers, 1) == Kind::node_lost);
  CHECK(answers.size() == 1);
  office.call(1, Wish::join, 2);
  answers = office.turn();
  CHECK(Office::kind_for(answers, 1) == Kind::round);
  CHECK(Office::kind_for(answers, 2) == Kind::round);
  CHECK(answers.size() == 2);
  CHECK(office.state.redundancy_list == std::set<NodeDesc>{Office::node(0)});
}

TEST_CASE("nobody starts again for nodes that wait where all places are taken") {
  Office office(2, 2);
  office.begin_round(2);
  const NodeDesc theirs{"torch", 7, 0};  // an agent of torch's that has lost the race for the last place
  office.state.wait_list.insert(theirs);
  office.state.last_heartbeats[theirs] = office.now.utc;
  CHECK(office.turn().empty());
  CHECK(office.state.wait_list.empty());
  CHECK(office.state.redundancy_list == std::set<NodeDesc>{theirs});
}

TEST_CASE("a join with a new ticket ends the node's part in the round before") {
  Office office(2, 2);
  office.begin_round(2);
  office.call(1, Wish::join, 2);
  auto answers = office.turn();
  CHECK(Office::kind_for(answers, 0) == Kind::node_lost);
  CHECK(Office::kind_for(answers, 1) == Kind::none);
  office.call(0, Wish::join, 2);
  answers = office.turn();
  REQUIRE(answers.size() == 2);
  for (const auto& [line, answer] : answers) { CHECK(answer.round == 1); }
}

TEST_CASE("a silent node is dropped after its keep-alive, and told so when it is back") {
  Office office(1, 2);
  office.begin_round(2);
  CHECK(office.live({0}, 15).empty());
  CHECK(Office::kind_for(office.live({0}, 1), 0) == Kind::node_lost);
  office.call(1, Wish::stay);
  CHECK(Office::kind_for(office.turn(), 1) == Kind::dropped);
}

TEST_CASE("a node that was silent for less than its keep-alive is in its round") {
  Office office(2, 2);
  office.begin_round(2);
  CHECK(office.live({0}, 14).empty());
  CHECK(office.live({0, 1}, 20).empty());
}

TEST_CASE("a host that was stopped itself drops nobody when it wakes") {
  Office office(2, 2);
  office.begin_round(2);
  office.pass(60s);
  CHECK(office.turn().empty());
  CHECK(office.live({0, 1}, 20).empty());
  CHECK(office.state.participants.size() == 2);
  // Who has not lived on is dropped, in time from then on.
  CHECK_FALSE(office.live({0}, 16).empty());
}

TEST_CASE("a clock that is set by an hour drops nobody") {
  Office office(2, 2);
  office.begin_round(2);
  office.now.utc += 1h;
  CHECK(office.live({0, 1}, 20).empty());
}

TEST_CASE("those in a round are told that somebody waits, and that the job has ended") {
  Office office(1, 3);
  office.settings.last_call_timeout = 0s;
  office.call(0, Wish::join);
  office.turn();
  office.pass(1ms);
  CHECK(Office::kind_for(office.turn(), 0) == Kind::round);
  office.call(0, Wish::stay);
  office.call(1, Wish::join);
  CHECK(Office::kind_for(office.turn(), 0) == Kind::nodes_waiting);
  office.call(1, Wish::close);
  CHECK(Office::kind_for(office.turn(), 1) == Kind::done);
  office.call(0, Wish::stay);
  CHECK(Office::kind_for(office.turn(), 0) == Kind::closed);
  office.call(2, Wish::join);
  CHECK(Office::kind_for(office.turn(), 2) == Kind::closed);
}

TEST_CASE("the last call ends by itself") {
  Office office(1, 2);
  office.call(0, Wish::join);
  CHECK(office.turn().empty());
  CHECK(*office.desk.next_turn(office.state, office.now) <= 1s);
  for (int i = 0; i < 30; ++i) {
    office.pass(1s);
    office.call(0, Wish::join);
    CHECK(office.turn().empty());
  }
  office.pass(1ms);
  CHECK(Office::kind_for(office.turn(), 0) == Kind::round);
}

TEST_CASE("a spare node is told that it is one, and takes the place of one that is lost") {
  Office office(2, 2);
  office.begin_round(2);
  office.call(2, Wish::join);
  CHECK(Office::kind_for(office.turn(), 2) == Kind::spare);
  office.call(2, Wish::join);
  CHECK(office.turn().empty());
  office.call(1, Wish::leave);
  auto answers = office.turn();
  CHECK(Office::kind_for(answers, 0) == Kind::node_lost);
  CHECK(Office::kind_for(answers, 1) == Kind::done);
  CHECK(Office::kind_for(answers, 2) == Kind::not_spare);
  office.call(2, Wish::join);
  office.call(0, Wish::join, 2);
  answers = office.turn();
  CHECK(Office::kind_for(answers, 0) == Kind::round);
  CHECK(Office::kind_for(answers, 2) == Kind::round);
}

TEST_CASE("a spare node whose job has ended is told so") {
  Office office(1, 1);
  office.begin_round(1);
  office.call(1, Wish::join);
  office.turn();
  office.call(1, Wish::join);
  office.call(0, Wish::close);
  CHECK(Office::kind_for(office.turn(), 1) == Kind::left_out);
}

TEST_CASE("a node with other --nnodes is refused, and the others learn of it when they give up") {
  Office office(3, 3);
  office.call(0, Wish::join);
  office.turn();
  office.settings.min_nodes = 2;
  office.settings.max_nodes = 4;
  const auto called = office.call(1, Wish::join);
  REQUIRE(called.answer);
  CHECK(called.answer->answer.kind == Kind::refused);
  CHECK_THAT(called.answer->answer.text, Contains("--nnodes 2:4") && Contains("--nnodes 3"));
  CHECK(office.desk.size() == 1);
  office.call(0, Wish::leave);
  const auto answers = office.turn();
  REQUIRE(answers.size() == 1);
  CHECK(answers.front().answer.nodes == 1);
  CHECK_THAT(answers.front().answer.text, Contains("node1") && Contains("--nnodes 2:4"));
}

TEST_CASE("the first node of an empty desk says what --nnodes is") {
  Office office(3, 3);
  office.call(0, Wish::join);
  office.turn();
  office.call(0, Wish::leave);
  office.turn();
  CHECK(office.desk.empty());
  CHECK_FALSE(office.desk.next_turn(office.state, office.now));
  office.settings.min_nodes = office.settings.max_nodes = 1;
  office.call(1, Wish::join);
  CHECK(Office::kind_for(office.turn(), 1) == Kind::round);
}

TEST_CASE("a connection that speaks for another node no longer speaks for the first") {
  Office office(1, 3);
  office.call(0, Wish::join, 1, 5);
  office.call(1, Wish::join, 1, 5);
  office.turn();
  office.pass(RendezvousDesk::kGrace);
  office.turn();
  CHECK(office.desk.size() == 1);
  CHECK_FALSE(office.state.participants.contains(Office::node(0)));
}

TEST_CASE("requests and answers come back from their text, and nothing else does") {
  DeskRequest request;
  request.number = 7;
  request.run_id = "a \"job\"";
  request.node = {"node0", 4711, 2};
  request.ticket = ~std::uint64_t{0};
  request.settings.min_nodes = 2;
  request.settings.max_nodes = 5;
  request.settings.keep_alive_interval = 1500ms;
  CHECK(desk_request_from_json(to_json(request)) == request);
  request.wish = Wish::leave;
  request.settings = {};
  CHECK(desk_request_from_json(to_json(request)) == request);

  DeskAnswer answer;
  answer.number = 9;
  answer.kind = Kind::round;
  answer.round = 3;
  answer.rank = 1;
  answer.nodes = 4;
  answer.first_addr = "fd77::1";
  CHECK(desk_answer_from_json(to_json(answer)) == answer);
  answer = {};
  answer.kind = Kind::refused;
  answer.text = "because\n";
  CHECK(desk_answer_from_json(to_json(answer)) == answer);

  const std::string good = to_json(request);
  for (std::size_t end = 0; end < good.size(); ++end) { CHECK_FALSE(desk_request_from_json(good.substr(0, end))); }
  CHECK_FALSE(desk_request_from_json("[]"));
  CHECK_FALSE(desk_request_from_json(R"({"number":1,"wish":9,"run_id":"a","node":["a",1,0],"ticket":1})"));
  CHECK_FALSE(desk_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1],"ticket":1})"));
  CHECK(desk_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1,0],"ticket":1})"));
  CHECK_FALSE(desk_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1,0],"ticket":-1e300})"));
  CHECK_FALSE(desk_request_from_json(
      R"({"number":1,"wish":0,"run_id":"a","node":["a",1,0],"ticket":1,"settings":{"min":0,"max":1,"last_call":1,"interval":1,"attempts":1}})"));
  CHECK_FALSE(desk_answer_from_json(R"({"number":1,"kind":99})"));
  CHECK_FALSE(desk_answer_from_json("Y2FuaW1hZGFt"));
}

TEST_CASE("a host of another version is not called") {
  CHECK(read_desk_announcement(to_string(DeskAnnouncement{"a job"}))->run_id == "a job");
  CHECK_FALSE(read_desk_announcement("2 job"));
  CHECK_FALSE(read_desk_announcement(""));
}

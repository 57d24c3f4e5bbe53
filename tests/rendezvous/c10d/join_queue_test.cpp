#include "rendezvous/c10d/join_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using Catch::Contains;
using Kind = ServiceReply::Kind;
using Intent = ServiceRequest::Intent;

namespace {

/// A queue, the state in the store, and a clock that the test moves.
struct TestJob {
  JoinQueue queue;
  RendezvousState state;
  RendezvousSettings settings;
  RendezvousMoment now{RendezvousTime(std::chrono::hours(24 * 365 * 56)), std::chrono::steady_clock::time_point(1h)};
  std::uint64_t calls = 0;
  int written = 0;

  TestJob(std::int64_t min_nodes, std::int64_t max_nodes) {
    settings.min_nodes = min_nodes;
    settings.max_nodes = max_nodes;
  }

  static NodeDesc node(int id) { return {"node" + std::to_string(id), 100, 0}; }

  void pass(std::chrono::milliseconds time) {
    now.utc += time;
    now.steady += time;
  }
  /// Node `id` calls over the connection of its own number, or another.
  JoinQueue::CallResult call(int id, Intent intent, std::uint64_t ticket = 1,
                             std::optional<JoinQueue::ConnectionId> connection = {}) {
    ServiceRequest request;
    request.number = ++calls;
    request.intent = intent;
    request.run_id = "job";
    request.node = node(id);
    request.ticket = ticket;
    request.settings = settings;
    return queue.call(connection.value_or(static_cast<JoinQueue::ConnectionId>(id)), request, now.steady);
  }
  std::vector<JoinQueue::Reply> turn() {
    JoinQueue::Turn turn = queue.turn(state, now);
    written += turn.changed ? 1 : 0;
    return std::move(turn.replies);
  }
  /// What the next turn replies on one connection.
  static Kind kind_for(const std::vector<JoinQueue::Reply>& replies, JoinQueue::ConnectionId connection) {
    for (const auto& reply : replies) {
      if (reply.to == connection) { return reply.reply.kind; }
    }
    return Kind::none;
  }
  /// Nodes 0, 1, … join and are in a round; then all stay.
  void begin_round(int nodes) {
    for (int id = 0; id < nodes; ++id) { call(id, Intent::join); }
    REQUIRE(turn().size() == static_cast<std::size_t>(nodes));
    for (int id = 0; id < nodes; ++id) { call(id, Intent::stay); }
    REQUIRE(turn().empty());
  }
  /// The last connection ends, and with it the last agent: nothing is left to be done.
  void lose(JoinQueue::ConnectionId connection) {
    queue.disconnected(connection, now.steady);
    pass(JoinQueue::kGrace);
    turn();
    CHECK_FALSE(queue.next_turn(state, now));
  }
  /// All of these live on for a while: they call and turns are made each second.
  std::vector<JoinQueue::Reply> live(const std::vector<int>& nodes, int seconds) {
    std::vector<JoinQueue::Reply> all;
    for (int i = 0; i < seconds; ++i) {
      pass(1s);
      for (const int id : nodes) { call(id, Intent::stay); }
      for (auto& reply : turn()) { all.push_back(std::move(reply)); }
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a thousand nodes that have called join with one version of the state") {
  TestJob job(1000, 1000);
  for (int id = 0; id < 1000; ++id) { job.call(id, Intent::join); }
  const auto replies = job.turn();
  CHECK(job.written == 1);
  REQUIRE(replies.size() == 1000);
  std::vector<std::int64_t> ranks;
  for (const auto& [connection, reply] : replies) {
    CHECK(reply.kind == Kind::round);
    CHECK(reply.nodes == 1000);
    CHECK(reply.first_addr == "node0");
    ranks.push_back(reply.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  for (std::int64_t rank = 0; rank < 1000; ++rank) { CHECK(ranks[static_cast<std::size_t>(rank)] == rank); }
  CHECK(job.state.complete);
}

TEST_CASE("nodes that call and agents that change the state themselves are in one round") {
  TestJob job(3, 3);
  job.call(0, Intent::join);
  job.call(1, Intent::join);
  CHECK(job.turn().empty());
  CHECK(job.state.participants.size() == 2);
  // An agent of torch's, between two turns.
  const NodeDesc theirs{"torch", 7, 0};
  RendezvousStep step =
      rendezvous_step(job.state, theirs, RendezvousIntent::join, job.now, job.now.steady + 1h, job.settings);
  job.state = step.state;
  const auto replies = job.turn();
  CHECK(TestJob::kind_for(replies, 0) == Kind::round);
  CHECK(TestJob::kind_for(replies, 1) == Kind::round);
  CHECK(job.state.participants.at(theirs) == 2);
}

TEST_CASE("a call that waits is answered with nothing by the next one, at once") {
  TestJob job(2, 2);
  CHECK_FALSE(job.call(0, Intent::join).reply);
  job.turn();
  const auto called = job.call(0, Intent::join);
  REQUIRE(called.reply);
  CHECK(called.reply->reply.kind == Kind::none);
  CHECK(called.reply->reply.number == 1);
  CHECK_FALSE(called.turn_due);
}

TEST_CASE("heartbeats alone are written once a second, however many come") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.written = 0;
  for (int i = 0; i < 100; ++i) {
    job.pass(30ms);
    job.call(0, Intent::stay);
    job.call(1, Intent::stay);
    job.turn();
  }
  CHECK(job.written >= 2);
  CHECK(job.written <= 3);
  CHECK(job.state.last_heartbeats.at(TestJob::node(0)) >= job.now.utc - 1s);
}

TEST_CASE("a broken connection is a lost node after the grace, long before its heartbeats would be missed") {
  TestJob job(1, 2);
  job.begin_round(2);
  job.queue.disconnected(1, job.now.steady);
  job.pass(JoinQueue::kGrace - 1ms);
  CHECK(job.turn().empty());
  CHECK(job.state.participants.size() == 2);
  job.pass(1ms);
  CHECK(*job.queue.next_turn(job.state, job.now) == 0us);
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::node_lost);
  CHECK(job.state.participants.size() == 1);
  job.lose(0);
}

TEST_CASE("a connection that is remade within the grace changes nothing") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.queue.disconnected(1, job.now.steady);
  job.pass(JoinQueue::kGrace - 1ms);
  job.call(1, Intent::stay, 1, 71);
  job.turn();
  job.pass(JoinQueue::kGrace);
  CHECK(job.turn().empty());
  CHECK(job.state.participants.size() == 2);
}

TEST_CASE("the end of an old connection, after the node has come over a new one, changes nothing") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.call(1, Intent::stay, 1, 71);
  job.queue.disconnected(1, job.now.steady);
  job.turn();
  job.pass(2s);
  CHECK(job.turn().empty());
  CHECK(job.state.participants.size() == 2);
}

TEST_CASE("the reply that was lost with its connection is given again over the next") {
  TestJob job(2, 2);
  job.call(0, Intent::join);
  job.call(1, Intent::join);
  CHECK(job.turn().size() == 2);
  job.queue.disconnected(1, job.now.steady);
  CHECK(job.call(1, Intent::join, 1, 71).turn_due);
  const auto replies = job.turn();
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().to == 71);
  CHECK(replies.front().reply.kind == Kind::round);
  CHECK(replies.front().reply.round == 0);
}

TEST_CASE("a participant that starts again has its place before a spare node that calls at the same time") {
  TestJob job(2, 2);
  for (const int id : {1, 2}) { job.call(id, Intent::join); }
  REQUIRE(job.turn().size() == 2);
  job.call(0, Intent::join);  // the first of all by its name
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::spare);
  job.call(0, Intent::join);
  job.call(1, Intent::stay);
  job.call(2, Intent::join, 2);
  auto replies = job.turn();
  CHECK(TestJob::kind_for(replies, 1) == Kind::node_lost);
  CHECK(replies.size() == 1);
  job.call(1, Intent::join, 2);
  replies = job.turn();
  CHECK(TestJob::kind_for(replies, 1) == Kind::round);
  CHECK(TestJob::kind_for(replies, 2) == Kind::round);
  CHECK(replies.size() == 2);
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{TestJob::node(0)});
}

TEST_CASE("nobody starts again for nodes that wait where all places are taken") {
  TestJob job(2, 2);
  job.begin_round(2);
  const NodeDesc theirs{"torch", 7, 0};  // an agent of torch's that has lost the race for the last place
  job.state.wait_list.insert(theirs);
  job.state.last_heartbeats[theirs] = job.now.utc;
  CHECK(job.turn().empty());
  CHECK(job.state.wait_list.empty());
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{theirs});
}

TEST_CASE("a join with a new ticket ends the node's place in the round before") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.call(1, Intent::join, 2);
  auto replies = job.turn();
  CHECK(TestJob::kind_for(replies, 0) == Kind::node_lost);
  CHECK(TestJob::kind_for(replies, 1) == Kind::none);
  job.call(0, Intent::join, 2);
  replies = job.turn();
  REQUIRE(replies.size() == 2);
  for (const auto& [connection, reply] : replies) { CHECK(reply.round == 1); }
}

TEST_CASE("a silent node is dropped after its keep-alive, and told so when it is back") {
  TestJob job(1, 2);
  job.begin_round(2);
  CHECK(job.live({0}, 15).empty());
  CHECK(TestJob::kind_for(job.live({0}, 1), 0) == Kind::node_lost);
  job.call(1, Intent::stay);
  CHECK(TestJob::kind_for(job.turn(), 1) == Kind::dropped);
}

TEST_CASE("a node that was silent for less than its keep-alive is in its round") {
  TestJob job(2, 2);
  job.begin_round(2);
  CHECK(job.live({0}, 14).empty());
  CHECK(job.live({0, 1}, 20).empty());
}

TEST_CASE("a host that was stopped itself drops nobody when it wakes") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.pass(60s);
  CHECK(job.turn().empty());
  CHECK(job.live({0, 1}, 20).empty());
  CHECK(job.state.participants.size() == 2);
  // Who has not lived on is dropped, in time from then on.
  CHECK_FALSE(job.live({0}, 16).empty());
}

TEST_CASE("a clock that is set by an hour drops nobody") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.now.utc += 1h;
  CHECK(job.live({0, 1}, 20).empty());
}

TEST_CASE("those in a round are told that somebody waits, and that the job has ended") {
  TestJob job(1, 3);
  job.settings.last_call_timeout = 0s;
  job.call(0, Intent::join);
  job.turn();
  job.pass(1ms);
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::round);
  job.call(0, Intent::stay);
  job.call(1, Intent::join);
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::nodes_waiting);
  job.call(1, Intent::close);
  CHECK(TestJob::kind_for(job.turn(), 1) == Kind::done);
  job.call(0, Intent::stay);
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::closed);
  job.call(2, Intent::join);
  CHECK(TestJob::kind_for(job.turn(), 2) == Kind::closed);
}

TEST_CASE("the last call ends by itself") {
  TestJob job(1, 2);
  job.call(0, Intent::join);
  CHECK(job.turn().empty());
  CHECK(*job.queue.next_turn(job.state, job.now) <= 1s);
  for (int i = 0; i < 30; ++i) {
    job.pass(1s);
    job.call(0, Intent::join);
    CHECK(job.turn().empty());
  }
  job.pass(1ms);
  CHECK(TestJob::kind_for(job.turn(), 0) == Kind::round);
}

TEST_CASE("a spare node is told that it is one, and takes the place of one that is lost") {
  TestJob job(2, 2);
  job.begin_round(2);
  job.call(2, Intent::join);
  CHECK(TestJob::kind_for(job.turn(), 2) == Kind::spare);
  job.call(2, Intent::join);
  CHECK(job.turn().empty());
  job.call(1, Intent::leave);
  auto replies = job.turn();
  CHECK(TestJob::kind_for(replies, 0) == Kind::node_lost);
  CHECK(TestJob::kind_for(replies, 1) == Kind::done);
  CHECK(TestJob::kind_for(replies, 2) == Kind::not_spare);
  job.call(2, Intent::join);
  job.call(0, Intent::join, 2);
  replies = job.turn();
  CHECK(TestJob::kind_for(replies, 0) == Kind::round);
  CHECK(TestJob::kind_for(replies, 2) == Kind::round);
}

TEST_CASE("a spare node whose job has ended is told so") {
  TestJob job(1, 1);
  job.begin_round(1);
  job.call(1, Intent::join);
  job.turn();
  job.call(1, Intent::join);
  job.call(0, Intent::close);
  CHECK(TestJob::kind_for(job.turn(), 1) == Kind::left_out);
}

TEST_CASE("a node with other --nnodes is refused, and the others learn of it when they give up") {
  TestJob job(3, 3);
  job.call(0, Intent::join);
  job.turn();
  job.settings.min_nodes = 2;
  job.settings.max_nodes = 4;
  const auto called = job.call(1, Intent::join);
  REQUIRE(called.reply);
  CHECK(called.reply->reply.kind == Kind::refused);
  CHECK_THAT(called.reply->reply.text, Contains("--nnodes 2:4") && Contains("--nnodes 3"));
  job.call(0, Intent::leave);
  const auto replies = job.turn();
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().reply.nodes == 1);
  CHECK_THAT(replies.front().reply.text, Contains("node1") && Contains("--nnodes 2:4"));
  CHECK_FALSE(job.queue.next_turn(job.state, job.now));  // the queue does not keep who was refused
}

TEST_CASE("the first node of an empty queue says what --nnodes is") {
  TestJob job(3, 3);
  job.call(0, Intent::join);
  job.turn();
  job.call(0, Intent::leave);
  job.turn();
  CHECK_FALSE(job.queue.next_turn(job.state, job.now));
  job.settings.min_nodes = job.settings.max_nodes = 1;
  job.call(1, Intent::join);
  CHECK(TestJob::kind_for(job.turn(), 1) == Kind::round);
}

TEST_CASE("a connection that speaks for another node no longer speaks for the first") {
  TestJob job(1, 3);
  job.call(0, Intent::join, 1, 5);
  job.call(1, Intent::join, 1, 5);
  job.turn();
  job.pass(JoinQueue::kGrace);
  job.turn();
  CHECK_FALSE(job.state.participants.contains(TestJob::node(0)));
  job.lose(5);
}

#include "launcher/waiting/wait_text.hpp"

#include <catch2/catch.hpp>

#include "common/log.hpp"

using namespace mdl;
using namespace mdl::launcher::waiting;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using Catch::Contains;
using rendezvous::client::ConnectFailure;
using rendezvous::client::ConnectProgress;

namespace {

const NodeDesc kNode1{"node1", 7, 0};
const NodeDesc kNode2{"10.0.0.2", 9, 0};
const RendezvousTime kNow{1'000'000'000us};

WaitContext at_node1() {
  WaitContext context{"j", Endpoint("node1", 29400)};
  context.left = 595s;
  return context;
}

RendezvousState with(std::initializer_list<NodeDesc> nodes) {
  RendezvousState state;
  for (const NodeDesc& node : nodes) { state.participants[node] = 0; }
  return state;
}

std::string text_of(const RendezvousState& state, WantedNodes wanted, const NodeDesc& self = kNode1,
                    const WaitContext& context = at_node1()) {
  return wait_for_nodes(context, state, self, wanted, kNow);
}

}  // namespace

TEST_CASE("a node that waits says how many of how many are where, who, for which job and for how long yet") {
  CHECK(text_of(with({kNode1}), {2, 2}) ==
        "waiting for nodes: 1 of 2 are at node1:29400 (node1); job j; 9 min 55 s left");
  CHECK(text_of(with({kNode1, kNode2}), {3, 8}) ==
        "waiting for nodes: 2 of 3 to 8 are at node1:29400 (10.0.0.2, node1); job j; 9 min 55 s left");
}

TEST_CASE("with enough nodes it is the last call that is told, not the time until the wait is given up") {
  RendezvousState state = with({kNode1, kNode2});
  state.deadline = kNow + 24s + 1us;
  CHECK(text_of(state, {1, 4}) ==
        "waiting for more nodes: 2 of 1 to 4 are at node1:29400 (10.0.0.2, node1); job j; last call: the round begins "
        "in 25 s");
  state.deadline = kNow - 3s;
  CHECK_THAT(text_of(state, {1, 4}), Contains("the round begins in 0 s"));
}

TEST_CASE("a node that cannot join a round yet says whose round it is, and a spare node that it stands by") {
  RendezvousState state = with({kNode1});
  state.complete = true;
  state.round = 3;
  CHECK(text_of(state, {1, 2}, kNode2) ==
        "waiting for the next round: 1 of the nodes at node1:29400 (node1) has not ended round 3; job j; 9 min 55 s "
        "left");
  state.redundancy_list.insert(kNode2);
  CHECK(text_of(state, {1, 2}, kNode2) ==
        "standing by as a spare node: others have all 2 places at node1:29400 (node1); job j");
  CHECK(text_of(state, {1, 1}, kNode2) ==
        "standing by: another agent runs this job of one node at node1:29400 (node1); job j; another job needs another "
        "--rdzv-id");
}

TEST_CASE("several agents of one host are counted, and of many nodes as many are named as there is room for") {
  CHECK_THAT(text_of(with({kNode1, {"node1", 8, 0}}), {3, 3}), Contains("(2 on node1)"));
  RendezvousState state;
  for (int i = 100; i < 140; ++i) { state.participants[{"node" + std::to_string(i), 1, 0}] = 0; }
  CHECK_THAT(text_of(state, {64, 64}), Contains("node115 and 24 more)"));
  WaitContext narrow = at_node1();
  for (narrow.columns = 60; narrow.columns < 130; ++narrow.columns) {
    const std::string text = text_of(state, {64, 64}, kNode1, narrow);
    CHECK_THAT(text, Contains("40 of 64 are at node1:29400") && Contains("; job j; 9 min 55 s left"));
    // The shortest form names nobody.
    CHECK((log::columns_of(text) <= narrow.columns || !Catch::Matchers::Contains("(").match(text)));
  }
}

TEST_CASE("names from the network are cut and cannot steer a terminal") {
  const NodeDesc evil{"\x1b[2Jevil\r\n" + std::string(5000, 'x'), 1, 0};
  const std::string text = text_of(with({evil}), {2, 2});
  CHECK(text.size() < 300);
  CHECK_THAT(text, Contains("(evil") && !Contains("\x1b") && !Contains("\r") && !Contains("\n"));
  CHECK_THAT(wait_for_ranks(at_node1(), 2, {evil.addr}), Contains("evil") && !Contains("\x1b"));
}

TEST_CASE("a store that does not answer is told with the reason, what to start, and this machine's addresses") {
  ConnectProgress progress;
  CHECK(wait_for_store(at_node1(), &progress) ==
        "waiting for the store at node1:29400: no answer yet; job j; 9 min 55 s left");
  progress.failure = ConnectFailure{ConnectFailure::Kind::refused, "connection refused"};
  CHECK_THAT(wait_for_store(at_node1(), &progress), Contains("node1:29400: connection refused; job j"));
  const std::vector<std::string> own{"10.0.0.9", "127.0.0.1"};
  CHECK(
      store_advice(at_node1(), &progress, "node9", own) ==
      "A machine answers there, and nothing listens at that port. An agent of the job on node1 hosts the store: is it "
      "started? This machine is node9, with the addresses 10.0.0.9, 127.0.0.1");
  progress.failure = ConnectFailure{ConnectFailure::Kind::other, "the name \"node1\" does not resolve: not found"};
  CHECK_THAT(store_advice(at_node1(), &progress, "node9", own), !Contains("nothing listens") && Contains("10.0.0.9"));
}

TEST_CASE("a static job names the node ranks that are missing") {
  CHECK(wait_for_static_nodes(at_node1(), 3, {1}) ==
        "waiting for nodes: 2 of 3 are at node1:29400 (missing: --node-rank 1); job j; 9 min 55 s left");
  CHECK_THAT(wait_for_static_nodes(at_node1(), 3, {}), Contains("waiting for the ranks from node 0: all 3 nodes"));
}

TEST_CASE("a round that is whole names the nodes that have not said how many workers they have") {
  CHECK(
      wait_for_ranks(at_node1(), 2, {"10.0.0.2"}) ==
      "waiting for the ranks: all 2 nodes are at node1:29400, and have not said how many workers they have: 10.0.0.2; "
      "job j; 9 min 55 s left");
  CHECK(wait_for_ranks(at_node1(), 2, {}) ==
        "waiting for the ranks: all 2 nodes are at node1:29400; job j; 9 min 55 s left");
}

TEST_CASE("a wait without an end, or for a store of which nothing is known yet, is told as far as it is known") {
  WaitContext endless = at_node1();
  endless.left.reset();
  CHECK(wait_for_others(endless) == "waiting for the other nodes at node1:29400; job j");
  CHECK(wait_for_store(endless, nullptr) == "waiting for the store at node1:29400: no answer yet; job j");
  const ConnectProgress none;
  for (const ConnectProgress* progress : {static_cast<const ConnectProgress*>(nullptr), &none}) {
    CHECK_THAT(store_advice(endless, progress, "node9", {}), Catch::StartsWith("An agent of the job on node1 hosts"));
  }
  // The last call of a round that is whole is over.
  RendezvousState state = with({kNode1});
  state.complete = true;
  state.deadline = kNow + 24s;
  CHECK_THAT(text_of(state, {1, 4}), !Contains("last call") && Contains("; job j; 9 min 55 s left"));
}

TEST_CASE("times are told as people tell them, and never as less than there is") {
  CHECK(time_text(-5s) == "0 s");
  CHECK(time_text(1ms) == "1 s");
  CHECK(time_text(59'001ms) == "1 min 0 s");
  CHECK(time_text(125s) == "2 min 5 s");
  CHECK(time_text(2h + 3min + 4s) == "2 h 3 min");
  CHECK(time_text(3599s) == "59 min 59 s");
  CHECK(time_text(2h) == "2 h 0 min");
  CHECK(time_text(2h - 1s) == "1 h 59 min");
}

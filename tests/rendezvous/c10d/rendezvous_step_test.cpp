#include "rendezvous/c10d/rendezvous_step.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/rendezvous/c10d/step_job.hpp"

using namespace mdl::rendezvous::c10d;
using namespace mdl::test;
using Action = RendezvousAction;
using Intent = RendezvousIntent;

TEST_CASE("one node of one has its round at once") {
  StepJob job(1, 1);
  CHECK(job.run(0, Intent::join) == Action::done);
  CHECK(job.state.complete);
  CHECK(job.state.participants.at(node(0)) == 0);
  CHECK_FALSE(job.state.deadline);
}

TEST_CASE("the last of max_nodes completes the round, and ranks follow the nodes' order, not that of joining") {
  StepJob job(3, 3);
  CHECK(job.run(2, Intent::join) == Action::wait);
  CHECK(job.run(0, Intent::join) == Action::wait);
  CHECK(job.run(1, Intent::join) == Action::done);
  CHECK(job.run(0, Intent::join) == Action::done);
  CHECK(job.run(2, Intent::join) == Action::done);
  CHECK(job.state.participants == std::map<NodeDesc, std::int64_t>{{node(0), 0}, {node(1), 1}, {node(2), 2}});
}

TEST_CASE("with min_nodes the last call begins, and when it is over the round is complete without the others") {
  StepJob job(2, 4);
  CHECK(job.run(0, Intent::join) == Action::wait);
  CHECK_FALSE(job.state.deadline);
  job.now = 10s;
  CHECK(job.run(1, Intent::join) == Action::wait);
  CHECK(job.state.deadline == kStart + 40s);
  job.now = 39s;
  for (auto& [who, time] : job.state.last_heartbeats) { time = kStart + job.now; }
  CHECK(job.run(2, Intent::join) == Action::wait);
  CHECK(job.state.deadline == kStart + 40s);  // more nodes do not prolong it
  job.now = 40s;
  CHECK(job.run(0, Intent::join) == Action::wait);
  job.now = 40s + 1us;
  CHECK(job.run(0, Intent::join) == Action::done);
  CHECK(job.state.participants.size() == 3);
  CHECK(job.state.round == 0);
}

TEST_CASE("a node that comes late waits for the next round, and the others see it wait") {
  StepJob job = StepJob::complete(1, 3, 2);
  CHECK(job.run(5, Intent::join) == Action::wait);
  CHECK(job.state.wait_list == std::set<NodeDesc>{node(5)});
  CHECK(job.state.complete);
  // The two restart: each leaves and joins.
  CHECK(job.run(0, Intent::leave) == Action::done);
  CHECK(job.state.complete);
  CHECK(job.run(0, Intent::join) == Action::wait);  // its round is not over: it waits too
  CHECK(job.run(1, Intent::leave) == Action::done);
  CHECK_FALSE(job.state.complete);
  CHECK(job.state.round == 1);
  CHECK(job.run(5, Intent::join) == Action::wait);
  CHECK(job.run(0, Intent::join) == Action::wait);
  CHECK(job.run(1, Intent::join) == Action::done);  // three of three
  CHECK(job.state.wait_list.empty());
  CHECK(job.state.participants.size() == 3);
  CHECK(job.state.round == 1);
}

TEST_CASE("a round that is seen to be complete only after the loss of others is not begun where it cannot come about") {
  SECTION("with too few nodes") {
    StepJob job = StepJob::complete(2, 2, 2);
    job.run(1, Intent::leave);
    CHECK(job.run(0, Intent::join) == Action::wait);
    CHECK_FALSE(job.state.complete);
    CHECK(job.state.round == 1);
  }
  SECTION("without a rank 0") {
    StepJob job = StepJob::complete(1, 3, 3);
    job.run(0, Intent::leave);
    CHECK(job.run(1, Intent::join) == Action::wait);
    CHECK(job.state.wait_list == std::set<NodeDesc>{node(1)});
  }
  SECTION("but where only the last ranks are lost it is") {
    StepJob job = StepJob::complete(1, 3, 3);
    job.run(2, Intent::leave);
    CHECK(job.run(1, Intent::join) == Action::done);
  }
}

TEST_CASE("a participant is told what has become of its round") {
  StepJob job = StepJob::complete(1, 3, 2);
  const auto event = [&](std::int64_t round, std::int64_t members) {
    return event_of_round(job.state, node(0), round, members, job.settings);
  };
  CHECK_FALSE(event(0, 2));
  job.run(5, Intent::join);
  CHECK(event(0, 2) == RoundEvent::nodes_waiting);
  CHECK(event(0, 3) == RoundEvent::node_lost);
  CHECK(event(1, 2) == RoundEvent::dropped);
  CHECK(event_of_round(job.state, node(5), 0, 2, job.settings) == RoundEvent::dropped);
  job.run(0, Intent::close);
  CHECK(event(0, 2) == RoundEvent::closed);
}

TEST_CASE("a closed rendezvous takes nobody, and ends well for spare nodes") {
  StepJob job = StepJob::complete(1, 1, 1);
  job.run(7, Intent::join);
  CHECK(job.run(0, Intent::close) == Action::done);
  CHECK(job.state.closed);
  CHECK(job.run(3, Intent::join) == Action::closed);
  CHECK(job.run(0, Intent::join) == Action::closed);
  CHECK(job.run(7, Intent::join) == Action::left_out);
  CHECK(job.run(3, Intent::close) == Action::done);
}

TEST_CASE("a node that cannot find enough others takes itself out and has timed out") {
  StepJob job(2, 2);
  CHECK(job.run(0, Intent::join) == Action::wait);
  job.now = 600s;
  job.state.last_heartbeats[node(0)] = kStart + job.now;
  CHECK(job.run(0, Intent::join) == Action::wait);
  job.now = 600s + 1us;
  CHECK(job.run(0, Intent::join) == Action::timed_out);
  CHECK(job.state == RendezvousState());
}

TEST_CASE("so does one in the wait list") {
  StepJob job = StepJob::complete(1, 2, 1);
  job.run(4, Intent::join);
  job.now = 601s;
  for (auto& [who, time] : job.state.last_heartbeats) { time = kStart + job.now; }
  CHECK(job.run(4, Intent::join) == Action::timed_out);
  CHECK(job.state.wait_list.empty());
  CHECK_FALSE(job.state.last_heartbeats.contains(node(4)));
}

TEST_CASE("long after its deadline a node only reports that it has timed out") {
  StepJob job(2, 2);
  job.run(0, Intent::join);
  job.now = 606s;
  job.state.last_heartbeats[node(0)] = kStart + job.now;
  const RendezvousStep step = job.look(0, Intent::join);
  CHECK(step.action == Action::timed_out);
}

TEST_CASE("a deadline that passes in the moment the round is complete does no harm") {
  StepJob job = StepJob::complete(2, 2, 2);
  job.now = 700s;
  for (auto& [who, time] : job.state.last_heartbeats) { time = kStart + job.now; }
  CHECK(job.run(0, Intent::join) == Action::done);
}

TEST_CASE("heartbeats are sent when they are due, and only by those who are in") {
  StepJob job = StepJob::complete(1, 2, 2);
  const auto last = job.state.last_heartbeats.at(node(0));
  job.now = last - kStart + 5s - 1us;
  CHECK(job.look(0, Intent::keep_alive).action == Action::done);
  job.now += 1us;
  const RendezvousStep step = job.look(0, Intent::keep_alive);
  CHECK(step.action == Action::write);
  CHECK(step.state.last_heartbeats.at(node(0)) == kStart + job.now);
  CHECK(job.look(0, Intent::keep_alive, 1s).action == Action::timed_out);
  CHECK(job.look(9, Intent::keep_alive).action == Action::done);
}

TEST_CASE("a node without heartbeats is dropped from wherever it is") {
  StepJob job = StepJob::complete(2, 2, 2);
  job.run(8, Intent::join);  // spare
  const auto last = job.now;
  job.now = last + 15s;
  job.state.last_heartbeats[node(0)] = kStart + job.now;
  RendezvousState state = job.state;
  drop_dead_nodes(state, kStart + job.now, job.settings);
  CHECK(state.participants.size() == 2);  // three intervals are not over yet
  job.now += 1us;
  state = job.state;
  drop_dead_nodes(state, kStart + job.now, job.settings);
  CHECK(state.participants == std::map<NodeDesc, std::int64_t>{{node(0), 0}});
  CHECK(state.redundancy_list.empty());
  CHECK(state.complete);  // the one that lives has its round
  CHECK(state.last_heartbeats.size() == 1);
}

TEST_CASE("a complete round that loses its last participant is over") {
  StepJob job = StepJob::complete(1, 1, 1);
  job.now += 16s;
  CHECK(job.run(5, Intent::join) == Action::done);
  CHECK(job.state.round == 1);
  CHECK(job.state.participants == std::map<NodeDesc, std::int64_t>{{node(5), 0}});
}

TEST_CASE("an incomplete round that falls below min_nodes has no last call any more") {
  StepJob job(2, 3);
  job.run(0, Intent::join);
  job.run(1, Intent::join);
  REQUIRE(job.state.deadline);
  SECTION("because one leaves") {
    CHECK(job.run(1, Intent::leave) == Action::done);
  }
  SECTION("because one dies") {
    job.now = 16s;
    job.state.last_heartbeats[node(0)] = kStart + job.now;
    drop_dead_nodes(job.state, kStart + job.now, job.settings);
  }
  CHECK_FALSE(job.state.deadline);
  CHECK(job.state.round == 0);
  CHECK(job.run(2, Intent::join) == Action::wait);
  CHECK(job.state.deadline == kStart + job.now + 30s);
}

TEST_CASE("one more than min_nodes may leave and the last call goes on") {
  StepJob job(1, 3);
  job.run(0, Intent::join);
  job.run(1, Intent::join);
  job.run(1, Intent::leave);
  CHECK(job.state.deadline == kStart + 30s);
}

TEST_CASE("a node leaves whatever list it is in") {
  StepJob job = StepJob::complete(1, 2, 1);
  job.run(3, Intent::join);
  REQUIRE(job.state.wait_list.contains(node(3)));
  CHECK(job.run(3, Intent::leave) == Action::done);
  CHECK(job.state.wait_list.empty());
  job.state.redundancy_list.insert(node(3));
  CHECK(job.run(3, Intent::leave) == Action::done);
  CHECK(job.state.redundancy_list.empty());
  CHECK(job.run(0, Intent::leave) == Action::done);
  CHECK(job.state.participants.empty());
  CHECK(job.run(0, Intent::leave) == Action::done);
  CHECK(job.look(0, Intent::leave, -1us).action == Action::done);
}

TEST_CASE("leaving and closing end by their deadline") {
  StepJob job = StepJob::complete(1, 1, 1);
  CHECK(job.look(0, Intent::leave, 1s).action == Action::timed_out);
  CHECK(job.look(0, Intent::close, 1s).action == Action::timed_out);
}

TEST_CASE("a node that waits knows when to look again") {
  StepJob job(2, 3);
  job.run(0, Intent::join);
  const auto look = [&](std::chrono::microseconds deadline) {
    return next_poll(job.state, node(0), at(job.now), kSteadyStart + deadline, job.settings);
  };
  CHECK(look(600s) == 5s);  // heartbeat
  CHECK(look(2s) == 2s + 1us);
  job.run(1, Intent::join);
  job.now = 28s;
  job.state.last_heartbeats[node(0)] = kStart + job.now;
  CHECK(look(600s) == 2s + 1us);  // last call
  job.now = 40s;
  CHECK(look(600s) == 0s);
}

TEST_CASE(
    "whatever the order in which nodes look, write and lose the race, they agree on who is in and who has which rank") {
  // Each node has a copy of the state of some moment; it may write only when that is still what lies in the store.
  const int seed = GENERATE(range(0, 200));
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const int nodes = 1 + pick(6);
  RendezvousSettings settings;
  settings.max_nodes = 1 + pick(nodes);
  settings.min_nodes = 1 + pick(static_cast<int>(settings.max_nodes));

  RendezvousState stored;
  std::chrono::microseconds now{0};
  std::vector<RendezvousState> seen(static_cast<std::size_t>(nodes));
  std::set<int> in;
  std::set<int> out;
  for (int turn = 0; turn < 20'000 && static_cast<int>(in.size() + out.size()) < nodes; ++turn) {
    const int who = pick(nodes);
    auto& copy = seen[static_cast<std::size_t>(who)];
    if (pick(3) == 0) {
      copy = stored;  // it reads and is interrupted
      continue;
    }
    now += std::chrono::milliseconds(pick(200));
    const RendezvousStep step = rendezvous_step(copy, node(who), in.contains(who) ? Intent::keep_alive : Intent::join,
                                                at(now), kSteadyStart + 600s, settings);
    if (step.action == Action::write) {
      if (stored == copy) { stored = step.state; }
      copy = stored;
    } else if (step.action == Action::done) {
      if (stored.participants.contains(node(who)) && stored.complete) { in.insert(who); }
    } else {
      REQUIRE(step.action == Action::wait);
      copy = stored;
      if (stored.complete && (stored.wait_list.contains(node(who)) || stored.redundancy_list.contains(node(who)))) {
        out.insert(who);
      }
    }
  }
  REQUIRE(stored.complete);
  CHECK(stored.round == 0);
  const auto members = static_cast<std::int64_t>(stored.participants.size());
  CHECK(members >= settings.min_nodes);
  CHECK(members <= settings.max_nodes);
  CHECK(static_cast<int>(in.size() + out.size()) == nodes);
  std::set<std::int64_t> ranks;
  for (const auto& [who, rank] : stored.participants) { ranks.insert(rank); }
  CHECK(static_cast<std::int64_t>(ranks.size()) == members);
  CHECK(*ranks.begin() == 0);
  CHECK(*ranks.rbegin() == members - 1);
}

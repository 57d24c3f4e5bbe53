#include <catch2/catch.hpp>
#include <set>

#include "tests/rendezvous/c10d/step_job.hpp"

// What rendezvous_step() does about more nodes than a round has places.

using namespace mdl::rendezvous::c10d;
using namespace mdl::test;

TEST_CASE("beyond max_nodes a node is a spare one, that disturbs nobody and steps in when a place is free") {
  StepJob job = StepJob::complete(2, 2, 2);
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{node(7)});
  CHECK(job.state.wait_list.empty());

  // It stands by beyond its deadline.
  job.now = 700s;
  for (auto& [who, time] : job.state.last_heartbeats) { time = kStart + 700s; }
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);

  job.run(1, RendezvousIntent::leave, 1300s);
  const RendezvousStep step = job.look(7, RendezvousIntent::join);
  CHECK(step.action == RendezvousAction::write);
  CHECK(step.renews_deadline);
  CHECK(step.state.redundancy_list.empty());
  job.state = step.state;
  CHECK(job.run(7, RendezvousIntent::join, 1300s) == RendezvousAction::wait);
  CHECK(job.state.wait_list == std::set<NodeDesc>{node(7)});
}

TEST_CASE("a participant that starts again has its place at once, and no spare node takes it") {
  StepJob job = StepJob::complete(2, 2, 2);
  job.run(7, RendezvousIntent::join);
  const RendezvousStep step = job.look(1, RendezvousIntent::rejoin);
  CHECK(step.action == RendezvousAction::write);
  CHECK(step.state.participants == std::map<NodeDesc, std::int64_t>{{node(0), 0}});
  CHECK(step.state.wait_list == std::set<NodeDesc>{node(1)});
  job.state = step.state;
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.run(9, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{node(7), node(9)});
  job.run(0, RendezvousIntent::rejoin);
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.run(1, RendezvousIntent::join) == RendezvousAction::done);
  CHECK(job.state.participants == std::map<NodeDesc, std::int64_t>{{node(0), 0}, {node(1), 1}});
  CHECK(job.state.wait_list.empty());
}

TEST_CASE("a participant that starts again has its place also where torch's agents wait for more than there are") {
  StepJob job = StepJob::complete(2, 2, 2);
  job.run(1, RendezvousIntent::leave);
  for (const int theirs : {1, 7}) {
    job.state.wait_list.insert(node(theirs));
    job.state.last_heartbeats[node(theirs)] = kStart + job.now;
  }
  CHECK(job.run(0, RendezvousIntent::rejoin) == RendezvousAction::wait);
  CHECK(job.state.participants.contains(node(0)));
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::done);
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{node(1)});
}

TEST_CASE("a spare node takes the place of one that waits only when that is gone") {
  StepJob job = StepJob::complete(2, 2, 2);
  job.run(7, RendezvousIntent::join);
  job.run(1, RendezvousIntent::rejoin);
  REQUIRE(job.state.wait_list.contains(node(1)));
  SECTION("it has left") {
    job.run(1, RendezvousIntent::leave);
  }
  SECTION("its heartbeats are missed") {
    job.now += 15s + 1us;
    job.state.last_heartbeats[node(0)] = job.state.last_heartbeats[node(7)] = kStart + job.now;
  }
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.state.wait_list == std::set<NodeDesc>{node(7)});
}

TEST_CASE("who waits in vain when a round is complete and full becomes a spare node, and nobody starts again for it") {
  StepJob job(2, 2);
  job.run(0, RendezvousIntent::join);
  job.state.wait_list.insert(node(5));
  job.state.last_heartbeats[node(5)] = kStart;
  SECTION("in the write of ours that completes it") {
    job.state.participants = {{node(1), 0}};
    job.state.wait_list.insert(node(0));  // as torch's agents wait: more of them than there are places
    job.state.last_heartbeats[node(1)] = kStart;
    CHECK(job.run(0, RendezvousIntent::join) == RendezvousAction::done);
  }
  SECTION("in the next one of any of ours, when torch's agent has completed it") {
    job.state.participants[node(1)] = 1;
    job.state.last_heartbeats[node(1)] = kStart;
    job.state.complete = true;
    CHECK_FALSE(event_of_round(job.state, node(0), 0, 2, job.settings));
    SECTION("of a participant") {
      CHECK(job.run(0, RendezvousIntent::keep_alive) == RendezvousAction::done);
    }
    SECTION("of the one that waits") {
      CHECK(job.run(5, RendezvousIntent::join) == RendezvousAction::wait);
    }
  }
  CHECK(job.state.complete);
  CHECK(job.state.wait_list.empty());
  CHECK(job.state.redundancy_list == std::set<NodeDesc>{node(5)});
}

TEST_CASE("a spare node sends heartbeats") {
  StepJob job = StepJob::complete(1, 1, 1);
  job.run(7, RendezvousIntent::join);
  const auto before = job.state.last_heartbeats.at(node(7));
  job.now += 5s;
  CHECK(job.run(7, RendezvousIntent::join) == RendezvousAction::wait);
  CHECK(job.state.last_heartbeats.at(node(7)) == before + 5s);
}

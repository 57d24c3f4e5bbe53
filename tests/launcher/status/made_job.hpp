#pragma once

#include <chrono>

#include "launcher/status/job_status.hpp"

namespace mdl::test {

inline const rendezvous::c10d::RendezvousTime kStatusTime{std::chrono::seconds(1'700'000'000)};

/// A job of one node with two ranks, of which the second has said all that there is to say.
inline launcher::status::JobStatus talkative_job() {
  using namespace std::chrono_literals;
  const rendezvous::c10d::NodeDesc only{"10.0.0.1", 11, 3};
  rendezvous::c10d::RendezvousState state;
  state.complete = true;
  state.participants = {{only, 0}};
  state.last_heartbeats = {{only, kStatusTime - 1s}};
  launcher::status::JobStatus status;
  status.run_id = "j";
  status.rendezvous.state = state;
  status.workers = {{0, {"trainer", 0, 2}}};
  launcher::progress::NodeSummary node;
  node.written = std::chrono::floor<std::chrono::milliseconds>(kStatusTime) - 2s;
  node.host = "node0";
  node.ranks.resize(2);
  node.ranks[0].age = node.ranks[0].own = node.ranks[0].waiting = 0.5;
  node.ranks[0].step = 117;
  node.ranks[0].step_age = 4;
  launcher::progress::RankSummary& rank = node.ranks[1];
  rank.age = 1;
  rank.step = 118;
  rank.total = 500;
  rank.step_age = 3;
  rank.loss = 2.5;
  rank.samples = 99;
  rank.samples_per_s = 20.5;
  rank.steps_per_s = 1.5;
  rank.own = 0.75;
  rank.waiting = 0.25;
  rank.section = "evaluation";
  rank.section_seconds = 60;
  rank.section_age = 4;
  rank.gpu = "84 °C";
  rank.dropped = 5;
  rank.wrong = 6;
  rank.eval_loss = 1.5;
  rank.eval_step = 100;
  rank.learning_rate = 0.125;
  rank.grad_norm = 3.5;
  status.progress[0] = node;
  return status;
}

}  // namespace mdl::test

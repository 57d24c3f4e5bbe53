#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "rendezvous/c10d/rendezvous_step.hpp"

namespace mdl::test {

using namespace rendezvous::c10d;
using namespace std::chrono_literals;

inline const RendezvousTime kStart = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24);
inline constexpr std::chrono::steady_clock::time_point kSteadyStart{};

inline NodeDesc node(int i) {
  return {"node" + std::to_string(i), 1, 0};
}

inline RendezvousMoment at(std::chrono::microseconds since_start) {
  return {kStart + since_start, kSteadyStart + since_start};
}

/// A job of `min` to `max` nodes, whose state the test changes step by step. The deadline of every intent is 600 s.
struct StepJob {
  RendezvousSettings settings;
  RendezvousState state;
  std::chrono::microseconds now{0};

  StepJob(std::int64_t min, std::int64_t max) {
    settings.min_nodes = min;
    settings.max_nodes = max;
  }
  RendezvousStep look(int who, RendezvousIntent intent, std::chrono::microseconds deadline = 600s) const {
    return rendezvous_step(state, node(who), intent, at(now), kSteadyStart + deadline, settings);
  }
  /// Looks, writes what is to be written, and looks again, until nothing is written any more. The last action.
  RendezvousAction run(int who, RendezvousIntent intent, std::chrono::microseconds deadline = 600s) {
    for (int steps = 0; steps < 10; ++steps) {
      RendezvousStep step = look(who, intent, deadline);
      if (step.action != RendezvousAction::write) { return step.action; }
      state = std::move(step.state);
      if (intent == RendezvousIntent::rejoin) { intent = RendezvousIntent::join; }
    }
    FAIL("a node writes for ever");
    return RendezvousAction::timed_out;
  }
  /// `nodes` nodes in a complete round.
  static StepJob complete(std::int64_t min, std::int64_t max, int nodes) {
    StepJob job(min, max);
    for (int i = 0; i < nodes; ++i) { job.run(i, RendezvousIntent::join); }
    job.now = job.settings.last_call_timeout + 1us;
    for (auto& [who, time] : job.state.last_heartbeats) { time = kStart + job.now; }
    for (int i = 0; i < nodes; ++i) { REQUIRE(job.run(i, RendezvousIntent::join) == RendezvousAction::done); }
    return job;
  }
};

}  // namespace mdl::test

#pragma once

#include <chrono>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/job/round_sequence.hpp"
#include "launcher/waiting/wait_teller.hpp"

namespace mdl::launcher {

/// How this node comes into the rounds of its job, and tells what it waits for.
class RoundEntry {
 public:
  /// All references must outlive this, and the io_context's coroutines end before it.
  RoundEntry(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
             loop::Notifier& changed);

  /// RoundSequence::next().
  asio::awaitable<void> enter(const job::LocalGroup& group, job::Round& round);
  /// The user's signal has come while enter() goes on, which nobody waits for any longer: says what it waits for.
  void interrupt(int signo);
  /// RoundSequence::ended().
  void round_ended(std::chrono::nanoseconds lived) { rounds_.ended(lived); }
  /// The agent leaves the job, and must not join again.
  void abandon() { rounds_.abandon(); }
  /// Whether the job has been given up, and the other nodes should hear of it.
  bool given_up() const { return rounds_.given_up(); }

 private:
  job::RoundSequence rounds_;
  waiting::WaitTeller teller_;
};

}  // namespace mdl::launcher

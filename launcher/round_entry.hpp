#pragma once

#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/health/health_check.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/job/round_sequence.hpp"
#include "launcher/waiting/wait_teller.hpp"

namespace mdl::launcher {

/// How this node comes into the rounds of its job: checked before each join, and telling what it waits for.
class RoundEntry {
 public:
  /// All references must outlive this, and the io_context's coroutines end before it.
  RoundEntry(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
             loop::Notifier& changed);

  /// RoundSequence::next(); throws Error as well when the health command keeps this node out.
  asio::awaitable<void> enter(const job::LocalGroup& group, job::Round& round);
  /// The user's signal has come while enter() goes on, which nobody waits for any longer: says what it waits for.
  void interrupt(int signo);
  /// RoundSequence::ended().
  void round_ended(std::chrono::nanoseconds lived) { rounds_.ended(lived); }
  /// The agent leaves the job, and must not join again.
  void abandon();
  /// Whether the job has been given up, and the other nodes should hear of it.
  bool given_up() const { return rounds_.given_up(); }
  /// Whether the health command has kept this node out, which the others may do without.
  bool held_out() const { return held_out_; }

 private:
  asio::awaitable<void> check_health();

  const command_line::LaunchPlan& plan_;
  std::optional<health::HealthCheck> health_;  ///< with --health-command
  job::RoundSequence rounds_;
  waiting::WaitTeller teller_;
  bool checking_ = false;
  bool held_out_ = false;
};

}  // namespace mdl::launcher

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/doctor_deep/rank_health.hpp"
#include "launcher/process/worker_group.hpp"

namespace mdl::launcher::doctor_deep {

/// The ranks of this node among those that measure together.
struct HealthRanks {
  int first = 0;  ///< of this node
  int here = 1;
  int world_size = 1;
  int node = 0;  ///< of this one among `nodes`
  int nodes = 1;
  std::string master_addr{};  ///< where they meet: a store
  std::uint16_t master_port = 0;
};

/// How to start a process.
struct HealthCommand {
  std::string program{};  ///< path
  std::vector<std::string> arguments{};
  std::vector<std::string> environment{};  ///< NAME=VALUE, of all of them
};

/// The processes of `mdl-toolkit health` on this node, from their start to their end. They are workers as those of a
/// launch: each in a session of its own, with ranks in its environment, and a guardian that ends them and what they
/// have started when this process dies. What they write is kept in bounded memory.
class HealthPrograms {
 public:
  static constexpr std::chrono::milliseconds kGrace{1000};  ///< between SIGTERM and SIGKILL
  static constexpr std::chrono::milliseconds kDeath{1000};  ///< for what was killed

  /// Starts them. `changed` is notified when one ends; it must outlive the coroutines of `io`, and `io` this object.
  /// Throws Error when the guardian cannot be started. Only for a process with one thread.
  HealthPrograms(asio::io_context& io, const HealthCommand& command, const HealthRanks& ranks, loop::Notifier& changed);
  ~HealthPrograms();
  HealthPrograms(const HealthPrograms&) = delete;
  HealthPrograms& operator=(const HealthPrograms&) = delete;

  /// Whether all of them have ended.
  bool ended() const;
  /// Asks those that still run to end (SIGTERM), kills them after a grace, and all that any of them has left behind;
  /// then reads the rest of what they have said.
  asio::awaitable<void> end();
  /// What they have said. A process that has said nothing that can be read is in the problem: the first one of them
  /// with how it ended and the last error that it told. Once end() is over. `limit`: for the words.
  NodeHealth take(std::chrono::milliseconds limit);

 private:
  struct Output;
  std::string problem_of(std::size_t index, const std::string& why_no_line, std::chrono::milliseconds limit) const;

  std::string program_;
  loop::Notifier& changed_;
  std::vector<std::shared_ptr<Output>> outputs_;
  std::unique_ptr<process::WorkerGroup> group_;
  bool no_hurry_ = false;
};

/// The line of `mdl-toolkit health` in what a program has printed: the last one that begins with a bracket, or all of
/// it where there is none (pure).
std::string health_line_of(const std::string& printed);

}  // namespace mdl::launcher::doctor_deep

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/command_line/health_command.hpp"

namespace mdl::launcher::health {

/// What a node's own check says of it.
struct HealthVerdict {
  bool healthy = false;
  /// Why not, to stand behind the command's name: "ended with exit code 3: GPU 2 is gone". The last line that it wrote
  /// to stderr, or else to stdout, is in it, cut, and harmless for a terminal.
  std::string problem{};
};

/// --health-command, run again and again. Each time it has a session and a process group of its own, no stdin, and the
/// launcher's environment; what it writes is kept in bounded memory and not shown. At the end of the program, at the
/// limit, and when the check is given up, what is left of it is killed: its process group, and its descendants.
class HealthCheck {
 public:
  static constexpr std::chrono::milliseconds kLimit{30'000};

  /// `environment`: NAME=VALUE. All references must outlive this, and the io_context's coroutines end before it.
  HealthCheck(asio::io_context& io, const command_line::HealthCommand& command,
              const std::vector<std::string>& environment, std::chrono::milliseconds limit = kLimit);
  ~HealthCheck();
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;

  /// Runs it once. A program that cannot be started is a verdict as well. One at a time.
  asio::awaitable<void> run(HealthVerdict& verdict);
  /// Gives up the run that goes on, at once, and all that would follow; run() ends soon, without a verdict.
  void stop();

 private:
  struct Stream;
  struct Running;
  int start(Running& running);

  asio::io_context& io_;
  const command_line::HealthCommand& command_;
  const std::vector<std::string>& environment_;
  const std::chrono::milliseconds limit_;
  std::shared_ptr<Running> running_;
  bool stopped_ = false;
};

}  // namespace mdl::launcher::health

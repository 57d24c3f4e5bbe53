#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"

namespace mdl::command {

/// A program that was started, without a shell. Killed and reaped unless it was waited for.
class Child {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Errors { dropped, piped };

  /// Starts a command, whose program is searched in PATH; its stdin is /dev/null, its stdout a pipe. `variables`
  /// ("NAME=VALUE") go before those of this process. Nothing where it cannot be started.
  static std::optional<Child> start(const std::vector<std::string>& command,
                                    const std::vector<std::string>& variables = {}, Errors errors = Errors::dropped);

  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  int output() const { return output_.get(); }  ///< what it writes to stdout can be read here
  int errors() const { return errors_.get(); }  ///< and to stderr, where that is piped; else -1

  /// Whether it has ended with code 0. False also where it still runs at the deadline.
  bool succeeds_until(Clock::time_point deadline);

 private:
  Child(pid_t pid, UniqueFd output, UniqueFd errors)
      : pid_(pid), output_(std::move(output)), errors_(std::move(errors)) {}

  pid_t pid_;
  UniqueFd output_, errors_;
};

}  // namespace mdl::command

#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/unique_fd.hpp"
#include "launcher/command_line/log_plan.hpp"
#include "launcher/output/left_stream.hpp"

namespace mdl::launcher::output {

/// Brings the workers' stdout and stderr to the launcher's own, to log files, or both, and remembers the last lines
/// that each wrote to stderr.
///
/// By default bytes pass through unchanged. Where several workers write to one stream, whole lines are passed on, so
/// that lines of different workers never mix; an unfinished line is passed on after 100 ms or 64 KiB, and ended by a
/// newline only if another worker writes before its own end comes. Memory is bounded: a worker waits while the
/// launcher's own reader is slow.
class OutputMux {
 public:
  /// Writes to `stdout_fd` and `stderr_fd`, which stay the caller's.
  explicit OutputMux(asio::io_context& io, int stdout_fd = 1, int stderr_fd = 2);
  ~OutputMux();
  OutputMux(const OutputMux&) = delete;
  OutputMux& operator=(const OutputMux&) = delete;

  /// The ends for a worker to write to. Close them here once it has been started.
  struct WorkerEnds {
    UniqueFd out;
    UniqueFd err;
  };
  /// Prepares for `workers` workers with local ranks 0, 1, …, and forgets those of an earlier attempt. Log files go to
  /// `attempt_folder`, which has a folder for each local rank; `prefixes` are those of the tee'd lines, by local rank.
  /// Throws Error when files or file descriptors cannot be had.
  std::vector<WorkerEnds> open_streams(int workers, const command_line::LogOptions& logs = {},
                                       const std::filesystem::path& attempt_folder = {},
                                       const std::vector<std::string>& prefixes = {});

  /// Once all workers have exited: passes on what they left in their pipes, and waits until it has been written. What a
  /// descendant still writes later gets EPIPE, unless its stream was handed over.
  asio::awaitable<void> finish();
  /// Gives away the streams that descendants of the workers hold open, for another process to pass on what comes there
  /// (see relay_output). To be called before finish(): what has come so far is passed on here.
  asio::awaitable<void> hand_over(std::vector<LeftStream>& left);

  /// Whether all who could write to the streams of a worker that pass through the launcher have closed them.
  bool has_ended(int local_rank) const;
  /// When the last output came, from one worker and what it has started, or from any. Now, while the reader of the
  /// launcher's own output does not keep up.
  std::chrono::steady_clock::time_point last_heard(std::optional<int> local_rank = std::nullopt);
  /// Stops waiting for a slow reader; what it has not read is dropped.
  void give_up();

  /// The last lines of the worker's stderr, oldest first; also of one that was redirected to a file.
  std::vector<std::string> last_stderr_lines(int local_rank) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdl::launcher::output

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"

namespace mdl::launcher::report {

/// Why a job has failed: the one worker whose failure came first, in words, as every node of the job reports it.
struct RootCause {
  std::string host;  ///< of the worker
  std::int64_t rank = 0;
  std::int64_t local_rank = 0;
  std::int64_t pid = 0;       ///< 0: it could not be started
  std::string end;            ///< "exit code 3", "signal SIGSEGV"
  std::string hint;           ///< what such an end usually means; may be empty
  std::int64_t ended_ns = 0;  ///< nanoseconds since the epoch
  std::int64_t failed_s = 0;  ///< when it failed, in seconds since the epoch: by its error file, else by its end
  std::string message;        ///< of its error file; empty when there is none
  std::vector<std::string> traceback;     ///< of its error file, by lines
  std::vector<std::string> stderr_lines;  ///< the last ones, oldest first
  std::string error_file{};               ///< its path on `host`; empty when it wrote none
  std::vector<std::string> log_files{};   ///< the paths of its stdout.log and stderr.log on `host`, where it has them
  int exit_code = kExitFailure;           ///< what the launchers of the job end with because of it
  /// Of a job that was ended because it hung, where that is no failure of a worker of the node which tells it.
  enum class Hang : unsigned char {
    none,       ///< it is, or there was no hang
    elsewhere,  ///< the worker, which is on another node, holds the others up; what it wrote is not known here
    of_nobody,  ///< no rank is to blame: there is no worker
  };
  Hang hang = Hang::none;

  bool operator==(const RootCause&) const = default;
};

/// "rank 3 on node1, exit code 3", or that no rank is accused and why.
std::string in_a_line(const RootCause& cause);

/// Whether the failure `a` came before `b`. Clocks of hosts agree within a second or so, and what a failure does to
/// other nodes takes a moment: within one second neither came first.
bool came_before(const RootCause& a, const RootCause& b);

/// For other nodes: JSON of at most kLargestRootCause bytes; long texts are cut.
std::string to_json(const RootCause& cause);
inline constexpr std::size_t kLargestRootCause = 128 * 1024;

/// What another node, or a stranger who reaches the store, has written; every text is fit for a terminal afterwards
/// (see printable.hpp), and lists have the lengths that this program's own have. nullopt when it is something else.
std::optional<RootCause> root_cause_from_json(std::string_view text);

/// As the report shows it, each line ending in '\n': rank, host, end and time; the hint; the error file's message and
/// traceback; the files' paths; the last lines on stderr, unless they are the traceback's.
std::string format_root_cause(const RootCause& cause);

}  // namespace mdl::launcher::report

#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mdl::launcher::command_line {

/// The two output streams of a worker.
enum class Stream { out = 0, err = 1 };

/// torchrun's choice of streams: bit 1 is stdout, bit 2 stderr.
inline constexpr int kNoStream = 0;

/// For which local ranks which streams: one choice for all, or one for each named rank (others: none).
struct StreamChoice {
  int for_all = kNoStream;
  std::map<int, int> by_local_rank;  ///< when not empty, for_all does not count

  bool includes(int local_rank, Stream stream) const;
};

/// Parses "3", or "0:1,1:2", perhaps with a line end. nullopt for anything else.
std::optional<StreamChoice> parse_stream_choice(const std::string& text);

/// Splits a comma-separated list; ",," stands for a comma within a word.
std::vector<std::string> parse_filters(const std::string& text);

/// The --log-dir of who wants no files.
inline constexpr const char* kNoLogFiles = "/dev/null";

/// What the user asked for about the workers' output.
struct LogOptions {
  std::string log_dir;  ///< empty: a temporary folder; kNoLogFiles: no files, not even error files
  StreamChoice redirects;
  StreamChoice tee;
  std::string line_prefix_template;                           ///< empty: "[${role_name}${local_rank}]:"
  std::set<int> local_ranks_filter;                           ///< empty: all ranks reach the console
  std::array<std::vector<std::string>, 2> duplicate_filters;  ///< by Stream; empty: nothing is duplicated
};

/// Where one stream of one worker goes.
struct StreamRoute {
  bool to_file = false;  ///< LOCALRANK/stdout.log or stderr.log of the attempt's folder
  bool to_console = true;
  bool prefixed = false;    ///< each line begins with the worker's prefix there, as a tee'd stream's does
  bool duplicated = false;  ///< lines with one of the words go to filtered_stdout.log or filtered_stderr.log, too
};

/// torchrun's rules (DefaultLogsSpecs.reify): a tee'd stream goes to the file and, line by line with a prefix, to the
/// console; a redirected one to the file only; the ranks filter hides streams from the console, never from files.
StreamRoute route_of(const LogOptions& options, int local_rank, Stream stream);
/// Whether any stream of a node's workers goes to a file.
bool writes_files(const LogOptions& options, int local_world_size);

/// The beginning of each line of a tee'd stream on the console.
std::string line_prefix(const LogOptions& options, const std::string& role, int local_rank, int rank,
                        const std::string& host);

/// "stdout.log", "filtered_stderr.log"
std::string log_file_name(Stream stream);
std::string filtered_file_name(Stream stream);

}  // namespace mdl::launcher::command_line

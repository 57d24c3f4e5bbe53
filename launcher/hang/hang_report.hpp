#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "launcher/hang/hang_rule.hpp"
#include "launcher/hang/rank_case.hpp"

namespace mdl::launcher::hang {

/// What is told of a job that hangs.
struct HangReport {
  int number = 1;  ///< of this launcher
  std::string job{};
  std::int64_t round = 0;
  std::chrono::system_clock::time_point at{};
  HangFinding finding{};
  std::string verdict{};
  std::vector<RankCase> ranks{};       ///< by rank
  std::vector<std::string> records{};  ///< what the records of collectives say, group by group
  std::vector<std::string> missing{};  ///< of which nodes nothing is known, and why, in words
};

/// "no step for 75 s", and where the time that counts is another one, what it is since: "no step for 375 s; the last
/// section ended 75 s ago". In whole seconds.
std::string idle_text(const IdleTime& idle);
/// The verdict first: "the job hangs: rank 3 on node1 is stopped (state T). No rank has made a step for 75 s (…)".
std::string headline(const HangReport& report);
/// A line a rank, with all that is known of it.
std::vector<std::string> rank_lines(const HangReport& report);
/// The whole file.
std::string report_text(const HangReport& report);
/// hang_NUMBER.txt
std::filesystem::path report_path(const HangReport& report, const std::filesystem::path& folder);
/// Writes it there, so that it is there whole or not at all. Throws Error.
void write_report(const HangReport& report, const std::filesystem::path& folder);

}  // namespace mdl::launcher::hang

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/progress/node_summary.hpp"

namespace mdl::launcher::progress {

/// What the report of a hang says of it, for whoever shows the job.
struct HangFacts {
  NodeTime since{};                   ///< no rank has made a step since then, by the clock of the node that says it
  std::vector<std::int64_t> ranks{};  ///< that the verdict names, at most kMostNamedRanks; may be none
  std::int64_t round = 0;
  std::optional<std::int64_t> step{};  ///< the highest one of all ranks, when it was said; nullopt: none is known

  bool operator==(const HangFacts&) const = default;
};
/// Of which ranks an event says that they are slow, or no longer, for the node that watches the job next.
struct SlowFacts {
  std::int64_t round = 0;
  std::vector<std::int64_t> ranks{};  ///< at most kMostNamedRanks

  bool operator==(const SlowFacts&) const = default;
};
inline constexpr std::size_t kMostNamedRanks = 64;
inline constexpr const char* kHangKind = "hang";
inline constexpr const char* kStragglerKind = "straggler";
inline constexpr const char* kRecoveredKind = "recovered";
/// What the text of a hang's event begins with; the verdict follows.
inline constexpr std::string_view kHangText = "the job hangs: ";

/// Something that has happened to a job, in words.
struct JobEvent {
  std::int64_t number = 0;  ///< 1 for the first of the job; the store counts
  NodeTime at{};
  std::string host{};  ///< of the node that says it
  std::string kind{};  ///< "round", "restart", "membership", "failed", "signal", "hang", "straggler", "recovered"
  std::string text{};
  std::optional<HangFacts> hang{};  ///< of kHangKind, where one begins
  std::optional<SlowFacts> slow{};  ///< of kStragglerKind and kRecoveredKind

  bool operator==(const JobEvent&) const = default;
};

inline constexpr std::size_t kLongestEventText = 400;

/// JSON; texts are cut.
std::string to_text(const JobEvent& event);
/// Of another node, or a stranger: printable; nullopt when it is something else.
std::optional<JobEvent> job_event_from_text(std::string_view text);

/// What was said last of each rank in that round: whether it is slow. `events`: the oldest first.
std::map<std::int64_t, bool> told_slow(const std::vector<JobEvent>& events, std::int64_t round);

}  // namespace mdl::launcher::progress

#pragma once

#include <cstddef>
#include <cstdint>
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

  bool operator==(const HangFacts&) const = default;
};
inline constexpr std::size_t kMostNamedRanks = 64;
/// What the text of a hang's event begins with; the verdict follows.
inline constexpr std::string_view kHangText = "the job hangs: ";

/// Something that has happened to a job, in words.
struct JobEvent {
  std::int64_t number = 0;  ///< 1 for the first of the job; the store counts
  NodeTime at{};
  std::string host{};  ///< of the node that says it
  std::string kind{};  ///< "round", "restart", "membership", "failed", "signal", "hang", "straggler", "recovered"
  std::string text{};
  std::optional<HangFacts> hang{};  ///< of a hang that begins; one that is over has none

  bool operator==(const JobEvent&) const = default;
};

inline constexpr std::size_t kLongestEventText = 400;

/// JSON; texts are cut.
std::string to_text(const JobEvent& event);
/// Of another node, or a stranger: printable; nullopt when it is something else.
std::optional<JobEvent> job_event_from_text(std::string_view text);

}  // namespace mdl::launcher::progress

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/status/job_status.hpp"

namespace mdl::launcher::status {

/// How it is with a job, the same for `status`, its metrics and its page; pure.
struct JobState {
  enum class What {
    waiting,  ///< for nodes, or for the ranks of a round
    running,
    hangs,  ///< and is running
    succeeded,
    failed,
    ended,  ///< it is not known how
  };
  /// What its report says.
  struct Hang {
    progress::NodeTime since{};  ///< no rank has made a step since then
    std::string verdict{};
    std::vector<std::int64_t> ranks{};  ///< that it names, in order
    bool names(std::int64_t rank) const;
  };

  What what = What::waiting;
  std::optional<Hang> hang{};  ///< of a job that hangs
};

/// A job hangs from the event that says so until one that says otherwise: that it goes on, a failure, another round; or
/// until a rank is at a higher step than all were then, or the round is another one.
JobState job_state(const JobStatus& status);
/// "waiting", "running", …, for programs.
const char* word_of(JobState::What what);

}  // namespace mdl::launcher::status

#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "launcher/progress/job_event.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"

namespace mdl::launcher::status {

/// What is not known is null.
template <typename Value>
nlohmann::json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

/// Null for what is not known; "nan", "inf" or "-inf" for what is no number, for which JSON has no words.
nlohmann::json value_to_json(const std::optional<double>& value);
/// How the job gets on as a whole; null when no node has told anything.
nlohmann::json progress_to_json(const JobProgress& job);
/// Since when (seconds since the epoch) a job hangs, for how long, the verdict and the ranks that it names; null when
/// it does not.
nlohmann::json hang_to_json(const JobState& state, rendezvous::c10d::RendezvousTime now);
nlohmann::json events_to_json(const std::vector<progress::JobEvent>& events);

}  // namespace mdl::launcher::status

#include "launcher/status/progress_json.hpp"

#include <algorithm>
#include <cmath>

namespace mdl::launcher::status {
namespace {

using nlohmann::json;

json step_to_json(const std::optional<JobProgress::RankStep>& step) {
  return step ? json{{"rank", step->rank}, {"step", step->step}} : json();
}

/// Null where there is one.
json word_of(JobProgress::NoSlowest why) {
  switch (why) {
    case JobProgress::NoSlowest::there_is:
      break;
    case JobProgress::NoSlowest::all_old:
      return "old";
    case JobProgress::NoSlowest::two_steps:
      return "two_steps";
    case JobProgress::NoSlowest::no_own:
      return "no_own";
    case JobProgress::NoSlowest::not_compared:
      return "not_compared";
  }
  return {};
}

}  // namespace

json value_to_json(const std::optional<double>& value) {
  if (!value || std::isfinite(*value)) { return value ? json(*value) : json(); }
  return std::isnan(*value) ? "nan" : *value > 0 ? "inf" : "-inf";
}

json progress_to_json(const JobProgress& job) {
  if (job.nodes.empty()) { return {}; }
  json object;
  object["ranks"] = job.ranks;
  object["behind"] = step_to_json(job.behind);
  object["ahead"] = step_to_json(job.ahead);
  object["total"] = or_null(job.total);
  object["samples_per_s"] = or_null(job.samples_per_s);
  object["steps_per_s"] = or_null(job.steps_per_s);
  object["loss"] = value_to_json(job.loss);
  object["step_age_s"] = or_null(job.step_age);
  object["slowest"] = json();
  object["no_slowest"] = word_of(job.no_slowest);
  if (job.slowest) {
    object["slowest"] = {{"rank", job.slowest->rank},
                         {"host", job.slowest->host},
                         {"own_s", job.slowest->own},
                         {"median_own_s", job.slowest->median},
                         {"pid", job.slowest->pid > 0 ? json(job.slowest->pid) : json()},
                         {"even", job.slowest->even}};
  }
  return object;
}

json hang_to_json(const JobState& state, rendezvous::c10d::RendezvousTime now) {
  if (!state.hang) { return {}; }
  const double lasts = std::chrono::duration<double>(now - state.hang->since).count();
  return {{"since_s", static_cast<double>(state.hang->since.time_since_epoch().count()) / 1000},
          {"for_s", std::max(0.0, lasts)},
          {"verdict", state.hang->verdict},
          {"ranks", state.hang->ranks}};
}

json events_to_json(const std::vector<progress::JobEvent>& events) {
  json array = json::array();
  for (const progress::JobEvent& event : events) {
    array.push_back({{"number", event.number},
                     {"time_s", static_cast<double>(event.at.time_since_epoch().count()) / 1000},
                     {"host", event.host},
                     {"kind", event.kind},
                     {"text", event.text}});
  }
  return array;
}

}  // namespace mdl::launcher::status

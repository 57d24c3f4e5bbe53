#include "launcher/status/job_state.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace mdl::launcher::status {
namespace {

using What = JobState::What;

/// Whether an event ends a hang that was told before it.
bool ends_hang(const progress::JobEvent& event) {
  constexpr std::array<std::string_view, 4> kKinds{"round", "restart", "membership", "failed"};
  return std::find(kKinds.begin(), kKinds.end(), event.kind) != kKinds.end();
}

bool has_step_above(const JobStatus& status, std::int64_t round, std::int64_t step) {
  for (const auto& [group_rank, node] : status.progress) {
    if (node.round != round) { continue; }
    const auto is_above = [&](const progress::RankSummary& rank) { return rank.step && *rank.step > step; };
    if (std::any_of(node.ranks.begin(), node.ranks.end(), is_above)) { return true; }
  }
  return false;
}

/// By rounds and steps: times would be those of several clocks.
bool is_over(const JobStatus& status, const progress::HangFacts& hang) {
  return hang.round != status.rendezvous.state->round || has_step_above(status, hang.round, hang.step.value_or(-1));
}

/// Of a job that has a round.
std::optional<JobState::Hang> hang_of(const JobStatus& status) {
  for (auto event = status.events.rbegin(); event != status.events.rend(); ++event) {
    if (ends_hang(*event)) { return std::nullopt; }
    if (event->kind != progress::kHangKind) { continue; }
    if (!event->hang || is_over(status, *event->hang)) { return std::nullopt; }
    const bool usual = event->text.starts_with(progress::kHangText);
    JobState::Hang hang{event->hang->since, event->text.substr(usual ? progress::kHangText.size() : 0),
                        event->hang->ranks};
    std::sort(hang.ranks.begin(), hang.ranks.end());
    return hang;
  }
  return std::nullopt;
}

}  // namespace

bool JobState::Hang::names(std::int64_t rank) const {
  return std::binary_search(ranks.begin(), ranks.end(), rank);
}

JobState job_state(const JobStatus& status) {
  JobState state;
  const auto& round = status.rendezvous.state;
  if (status.root_cause) {
    state.what = What::failed;
  } else if (status.succeeded) {
    state.what = What::succeeded;
  } else if (status.launcher_end || (round && round->closed)) {
    state.what = What::ended;
  } else if (round && round->complete) {
    state.hang = hang_of(status);
    state.what = state.hang ? What::hangs : What::running;
  }
  return state;
}

const char* word_of(What what) {
  switch (what) {
    case What::waiting:
      return "waiting";
    case What::running:
      return "running";
    case What::hangs:
      return "hangs";
    case What::succeeded:
      return "succeeded";
    case What::failed:
      return "failed";
    case What::ended:
      return "ended";
  }
  return "";
}

}  // namespace mdl::launcher::status

#include "launcher/status/job_progress.hpp"

#include <algorithm>
#include <utility>

#include "launcher/progress/slow_rank.hpp"

namespace mdl::launcher::status {
namespace {

struct OwnTime {
  double seconds = 0;
  std::int64_t rank = 0;
  const progress::NodeSummary* node = nullptr;
  const progress::RankSummary* said = nullptr;
};

void take_step(JobProgress& job, std::int64_t rank, const progress::RankSummary& said) {
  if (said.total) { job.total = std::max(job.total.value_or(0), *said.total); }
  if (!said.step) { return; }
  if (!job.behind || *said.step < job.behind->step) { job.behind = {rank, *said.step}; }
  if (!job.ahead || *said.step > job.ahead->step) { job.ahead = {rank, *said.step}; }
}

void take_rates(JobProgress& job, const progress::RankSummary& said) {
  if (said.samples_per_s) { job.samples_per_s = job.samples_per_s.value_or(0) + *said.samples_per_s; }
  if (said.steps_per_s) { job.steps_per_s = std::min(job.steps_per_s.value_or(*said.steps_per_s), *said.steps_per_s); }
}

std::optional<JobProgress::Slowest> slowest_of(const std::vector<OwnTime>& times) {
  if (times.empty()) { return std::nullopt; }
  const auto shorter = [](const OwnTime& a, const OwnTime& b) { return a.seconds < b.seconds; };
  const OwnTime longest = *std::max_element(times.begin(), times.end(), shorter);
  std::vector<double> seconds;
  for (const OwnTime& time : times) { seconds.push_back(time.seconds); }
  const double median = progress::lower_median(std::move(seconds));
  const bool even = longest.seconds <= progress::slow_limit(median, progress::kEvenTimes);
  return JobProgress::Slowest{
      longest.rank, longest.node->host, longest.seconds, median, longest.said->gpu, longest.said->pid, even};
}

JobProgress::NoSlowest why_no_slowest(const JobProgress& job) {
  using Why = JobProgress::NoSlowest;
  if (job.slowest) { return Why::there_is; }
  const auto is_old = [](const auto& node) { return node.second.old; };
  if (std::all_of(job.nodes.begin(), job.nodes.end(), is_old)) { return Why::all_old; }
  return job.steps_per_s ? Why::no_own : Why::two_steps;
}

}  // namespace

JobProgress job_progress(const std::map<std::int64_t, progress::NodeSummary>& nodes, progress::NodeTime now) {
  JobProgress job;
  std::vector<OwnTime> times;
  std::int64_t loss_rank = -1;
  for (const auto& [group_rank, summary] : nodes) {
    JobProgress::Node& node = job.nodes[group_rank];
    node.summary = &summary;
    node.age = std::max(0.0, std::chrono::duration<double>(now - summary.written).count());
    node.old = node.age > progress::kSummaryIsOld;
    for (std::size_t i = 0; i < summary.ranks.size(); ++i) {
      const progress::RankSummary& said = summary.ranks[i];
      const std::int64_t rank = summary.first_rank + static_cast<std::int64_t>(i);
      if (said.known()) { ++job.ranks; }
      take_step(job, rank, said);
      if (said.step_age) { job.step_age = std::min(job.step_age.value_or(1e12), *said.step_age + node.age); }
      if (said.loss && (loss_rank < 0 || rank < loss_rank)) {
        job.loss = said.loss;
        loss_rank = rank;
      }
      if (node.old) { continue; }
      take_rates(job, said);
      if (said.own) { times.push_back({*said.own, rank, &summary, &said}); }
    }
  }
  job.slowest = slowest_of(times);
  job.no_slowest = why_no_slowest(job);
  return job;
}

}  // namespace mdl::launcher::status

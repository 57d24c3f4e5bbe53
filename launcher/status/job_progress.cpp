#include "launcher/status/job_progress.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "launcher/progress/slow_rank.hpp"

namespace mdl::launcher::status {
namespace {

/// One that can be compared with the others.
struct Compared {
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

void compare(JobProgress& job, const std::vector<Compared>& ranks, std::size_t senders) {
  std::vector<const progress::RankSummary*> said;
  for (const Compared& each : ranks) { said.push_back(each.said); }
  const progress::SlowMeasure measure(said, senders);
  if (!measure.median()) { return; }
  const Compared* longest = nullptr;
  for (const Compared& each : ranks) {
    if (measure.is_slow_still(*each.said)) { job.slow.insert(each.rank); }
    if (measure.waits_more(*each.said)) { continue; }
    if (!longest || *each.said->own > *longest->said->own) { longest = &each; }
  }
  if (!longest) { return; }
  const bool even = !measure.takes_long(*longest->said, progress::kEvenTimes);
  job.slowest = {longest->rank,
                 longest->node->host,
                 *longest->said->own,
                 *measure.median(),
                 longest->said->gpu,
                 longest->said->pid,
                 even};
}

JobProgress::NoSlowest why_no_slowest(const JobProgress& job, bool any_own) {
  using Why = JobProgress::NoSlowest;
  if (job.slowest) { return Why::there_is; }
  const auto is_old = [](const auto& node) { return node.second.old; };
  if (std::all_of(job.nodes.begin(), job.nodes.end(), is_old)) { return Why::all_old; }
  if (any_own) { return Why::not_compared; }
  return job.steps_per_s ? Why::no_own : Why::two_steps;
}

}  // namespace

JobProgress job_progress(const std::map<std::int64_t, progress::NodeSummary>& nodes, progress::NodeTime now) {
  JobProgress job;
  std::vector<Compared> compared;
  bool any_own = false;
  std::size_t senders = 0;
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
      if (said.own && !said.ended) { ++senders; }
      if (node.old) { continue; }
      any_own = any_own || said.own;
      if (!said.ended) { take_rates(job, said); }
      if (progress::can_be_compared(said, node.age, node.age)) { compared.push_back({rank, &summary, &said}); }
    }
  }
  compare(job, compared, senders);
  job.no_slowest = why_no_slowest(job, any_own);
  return job;
}

}  // namespace mdl::launcher::status

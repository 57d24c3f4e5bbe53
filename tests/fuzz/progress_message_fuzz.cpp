// What a node makes of a worker's datagrams, and status, metrics and the page of what a stranger has put where nodes
// tell of them.
#include <limits>
#include <nlohmann/json.hpp>

#include "launcher/dashboard/state_json.hpp"
#include "launcher/metrics/metrics_text.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/progress/rank_progress.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"
#include "launcher/straggler/straggler_watch.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl::launcher;
using namespace mdl::launcher::progress;
using mdl::fuzz::claim;
using mdl::fuzz::claim_printable;

constexpr std::size_t kLongestLine = 4096;

void claim_sound(const RankSummary& rank, double most) {
  claim_printable(rank.section, kLongestSection);
  claim_printable(rank.gpu, 128);
  for (const auto& count : {rank.step, rank.total, rank.samples}) {
    claim(!count || *count >= 0, "a count is none below 0");
  }
  for (const auto& real : {rank.own, rank.waiting, rank.age, rank.step_age, rank.longest_step, rank.samples_per_s,
                           rank.steps_per_s, rank.section_seconds, rank.section_age, rank.section_left_age}) {
    claim(!real || (*real >= 0 && *real <= most), "a time can be one");
  }
}

/// Lines as datagrams, some milliseconds apart.
void hear(std::string_view bytes, int distance_ms) {
  RankProgress progress;
  RankProgress::Time now{std::chrono::hours(1)};
  int datagrams = 0;
  int taken = 0;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    ++datagrams;
    taken += progress.take(bytes.substr(0, end), now) ? 1 : 0;
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    now += std::chrono::milliseconds(distance_ms);
  }
  NodeSummary node;
  node.ranks.push_back(progress.summary(now));
  claim_sound(node.ranks[0], std::numeric_limits<double>::max());
  claim(node.ranks[0].dropped == datagrams - taken, "what is not read is counted");
  claim(node.ranks[0].wrong <= taken, "what is read and wrong is counted");
  const auto read = node_summary_from_text(to_text(node));
  claim(read && read->ranks.size() == 1, "what a node tells can be read");
  claim(read->ranks[0].step == node.ranks[0].step && read->ranks[0].section == node.ranks[0].section,
        "and is the same");
}

/// What is shown of a job of two nodes, one of which has told this.
void show(const NodeSummary& told, const std::optional<JobEvent>& event) {
  const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(told.written) + std::chrono::seconds(2);
  status::JobStatus job;
  job.run_id = "j";
  auto& state = job.rendezvous.state.emplace();
  state.complete = true;
  for (const std::int64_t node : {0, 1}) {
    state.participants[{"node" + std::to_string(node), 7, 0}] = node;
    job.workers[node] = {"default", node, 2};
  }
  job.progress[1] = told;
  if (event) { job.events.push_back(*event); }
  mdl::fuzz::claim_printable_lines(status::format_status(job, now), kLongestLine);
  for (const std::string& text : {status::status_to_json(job, now), dashboard::state_json(job, "node0:29400", now)}) {
    claim(nlohmann::json::accept(text), "what is shown is JSON");
    claim(text.find('\n') == std::string::npos || text.find('\n') + 1 == text.size(), "and one line");
  }
  mdl::fuzz::claim_printable_lines(metrics::metrics_text(job, now), kLongestLine);
}

/// Who is slow among these ranks.
void judge(const NodeSummary& told) {
  straggler::StragglerWatch watch{std::chrono::milliseconds(0)};
  mdl::launcher::watch::JobView view;
  view.told.push_back({told.group_rank, told.host, told.first_rank, told.ranks, 0});
  for (int look = 0; look < 4; ++look) {  // nobody is named for one step
    for (const auto& line : straggler::describe_stragglers(watch.look(view).slow)) {
      claim_printable(line.text, kLongestLine);
    }
    view.at += std::chrono::seconds(10);
    for (auto& rank : view.told.front().ranks) {
      if (rank.own_step && *rank.own_step < (std::int64_t{1} << 53)) { ++*rank.own_step; }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) { return 0; }
  const std::string_view bytes = mdl::fuzz::text_of(data + 1, size - 1);
  hear(bytes, data[0]);
  const std::size_t line = bytes.find('\n');  // a summary, and an event on the next line; or one of them
  const auto event = job_event_from_text(line == bytes.npos ? bytes : bytes.substr(line + 1));
  if (const auto node = node_summary_from_text(bytes.substr(0, line))) {
    claim_printable(node->host, 256);
    for (const RankSummary& rank : node->ranks) { claim_sound(rank, 1e15); }
    claim(node_summary_from_text(to_text(*node)).has_value(), "what was read can be told again");
    show(*node, event);
    judge(*node);
  }
  if (event) {
    claim_printable(event->text, kLongestEventText);
    claim_printable(event->host, 256);
    claim_printable(event->kind, 32);
    claim(job_event_from_text(to_text(*event)).has_value(), "an event that was read can be told again");
  }
  return 0;
}

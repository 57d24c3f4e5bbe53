#include "launcher/status/status_text.hpp"

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"
#include "launcher/status/node_table.hpp"
#include "launcher/status/status_numbers.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::c10d::RendezvousState;
using rendezvous::c10d::RendezvousTime;

constexpr std::size_t kShownEvents = 8;
constexpr std::size_t kShownSuspects = 8;
constexpr std::size_t kShownMissing = 16;

std::string local_time(progress::NodeTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  char text[32] = "?";
  if (::localtime_r(&seconds, &parts)) { std::strftime(text, sizeof text, "%m-%d %H:%M:%S", &parts); }
  return text;
}

/// "waits for nodes: 1 of 2 are there (missing: --node-rank 1)" of a static job; of others it is not known how many.
std::string describe_wait(const JobStatus& status) {
  std::string text = "waits for more nodes";
  if (status.wanted_nodes) {
    text = str_cat("waits for nodes: ", status.rendezvous.state->participants.size(), " of ", *status.wanted_nodes,
                   " are there");
  }
  const std::vector<std::int64_t>& missing = status.missing_nodes;
  if (missing.empty()) { return text; }
  const auto end = missing.begin() + static_cast<std::ptrdiff_t>(std::min(missing.size(), kShownMissing));
  std::vector<std::string> ranks;
  for (auto rank = missing.begin(); rank != end; ++rank) { ranks.push_back(std::to_string(*rank)); }
  const std::size_t others = missing.size() - ranks.size();
  return str_cat(text, " (missing: --node-rank ", joined(ranks), others > 0 ? str_cat(" and ", others, " more") : "",
                 ")");
}

std::string phase_of(const JobStatus& status, const JobState& job, RendezvousTime now) {
  const RendezvousState& state = *status.rendezvous.state;
  std::string text;
  if (state.complete) {
    text = "complete";
  } else if (state.deadline) {
    const double left = std::chrono::duration<double>(*state.deadline - now).count();
    text = str_cat("has enough nodes; the last call for more ends in ", fixed(std::max(0.0, left)), " s");
  } else {
    text = describe_wait(status);
  }
  if (job.hang) {
    const double lasts = std::max(0.0, std::chrono::duration<double>(now - job.hang->since).count());
    text += str_cat("; HANGS since ", local_time(job.hang->since), ", for ", fixed(lasts), " s");
  }
  if (state.closed) { text += "; closed: the job has ended"; }
  return status.succeeded ? text + "; all nodes have ended well" : text;
}

std::string describe_steps(const JobProgress& job) {
  if (!job.behind) { return "no steps"; }
  const std::string of = job.total ? str_cat(" of ", *job.total) : "";
  if (job.behind->step == job.ahead->step) { return str_cat("step ", job.behind->step, of); }
  return str_cat("step ", job.behind->step, of, " (rank ", job.behind->rank, ") to ", job.ahead->step, " (rank ",
                 job.ahead->rank, ")");
}

/// " (pid 4713)", where it is known.
std::string pid_of(std::int64_t pid) {
  return pid > 0 ? str_cat(" (pid ", pid, ")") : std::string();
}

std::string describe_slowest(const JobProgress& job) {
  switch (job.no_slowest) {
    case JobProgress::NoSlowest::there_is:
      break;
    case JobProgress::NoSlowest::all_old:
      return "Slowest rank: not known, as no node has told anything for 15 s\n";
    case JobProgress::NoSlowest::two_steps:
      return "Slowest rank: not known yet, as that takes two steps\n";
    case JobProgress::NoSlowest::no_own:
      return "Slowest rank: not known, as no rank sends its own time of a step (own)\n";
    case JobProgress::NoSlowest::not_compared:
      return "Slowest rank: not known, as no own times of steps (own) can be compared now\n";
  }
  const JobProgress::Slowest& slowest = *job.slowest;
  const std::string median = str_cat("the median is ", four_digits(slowest.median), " s");
  if (slowest.even) {
    return str_cat("Slowest rank: none stands out; at most ", four_digits(slowest.own), " s of its own a step; ",
                   median, "\n");
  }
  return str_cat("Slowest rank: ", slowest.rank, " on ", slowest.host, pid_of(slowest.pid), ", ",
                 four_digits(slowest.own), " s of its own a step; ", median,
                 slowest.gpu.empty() ? "" : "; its GPU: ", slowest.gpu, "\n");
}

std::string describe_progress(const JobProgress& job, const JobState& state) {
  if (job.nodes.empty()) { return "Progress: no data; no worker has sent any (MDL_PROGRESS)\n"; }
  std::string text = "Progress: " + describe_steps(job);
  if (job.samples_per_s) { text += str_cat("; ", fixed(*job.samples_per_s), " samples/s"); }
  if (job.steps_per_s) { text += str_cat("; ", four_digits(*job.steps_per_s), " steps/s"); }
  if (job.loss) { text += str_cat("; loss ", four_digits(*job.loss)); }
  if (job.step_age) { text += str_cat("; last step ", fixed(*job.step_age), " s ago"); }
  text += "\n";
  if (state.hang) { return text; }  // nobody is slow where nobody moves
  return text + describe_slowest(job);
}

std::string describe_hang(const JobState::Hang& hang, const JobProgress& job) {
  std::string text = str_cat("Hang: ", hang.verdict, "\n");
  std::size_t shown = 0;
  for (const auto& [group_rank, node] : job.nodes) {
    std::int64_t rank = node.summary->first_rank;
    for (const progress::RankSummary& said : node.summary->ranks) {
      const std::int64_t number = rank++;
      if (!hang.names(number) || ++shown > kShownSuspects) { continue; }
      text += str_cat("  rank ", number, " on ", node.summary->host, pid_of(said.pid));
      if (said.step) { text += str_cat(", step ", *said.step); }
      if (said.step_age) { text += str_cat(" ", fixed(*said.step_age + node.age), " s ago"); }
      text += "\n";
    }
  }
  return text;
}

std::string describe_events(const JobStatus& status) {
  if (status.events.empty()) { return {}; }
  std::string text = "Last events:\n";
  const std::size_t count = status.events.size();
  for (std::size_t i = count > kShownEvents ? count - kShownEvents : 0; i < count; ++i) {
    const progress::JobEvent& event = status.events[i];
    text += str_cat("  ", local_time(event.at), "  ", event.host, "  ", event.text, "\n");
  }
  return text;
}

std::string describe_size(const JobStatus& status) {
  const RendezvousState& state = *status.rendezvous.state;
  std::int64_t workers = 0;
  for (const auto& [rank, info] : status.workers) { workers += info.local_world_size; }
  const bool all = state.complete && status.workers.size() == state.participants.size();
  const std::string nodes = counted(state.participants.size(), "node");
  return str_cat(nodes, all ? str_cat(", ", counted(workers, "rank")) : "",
                 state.round > 0 ? str_cat("; restarts: ", state.round) : "");
}

}  // namespace

std::string format_status(const JobStatus& status, RendezvousTime now, std::size_t width) {
  const RendezvousState& state = *status.rendezvous.state;
  const JobProgress job = job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(now));
  const JobState how = job_state(status);
  std::string out =
      str_cat("Job \"", output::printable(status.run_id), "\" at ", to_string(status.endpoint), ": round ", state.round,
              " ", phase_of(status, how, now), "; ", describe_size(status), "\n");
  if (how.hang) { out += describe_hang(*how.hang, job); }
  if (status.rendezvous.master) {
    out += str_cat("Workers meet at ", output::printable(to_string(*status.rendezvous.master)), "\n");
  }
  if (state.complete) { out += describe_progress(job, how); }
  out += node_table(status, job, how, now).text(width);
  out += describe_events(status);
  if (status.root_cause) { out += report::format_root_cause(*status.root_cause); }
  return out;
}

}  // namespace mdl::launcher::status

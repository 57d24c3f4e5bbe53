#include "launcher/status/status_text.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::c10d::NodeDesc;
using rendezvous::c10d::RendezvousState;
using rendezvous::c10d::RendezvousTime;

constexpr std::size_t kLongestNodeName = 256;
constexpr std::size_t kShownEvents = 8;
constexpr std::size_t kShownSuspects = 8;

std::string fixed(double number) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(number) < 1e9 ? "%.1f" : "%.3g", number);
  return text;
}

std::string four_digits(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

std::string local_time(progress::NodeTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  char text[32] = "?";
  if (::localtime_r(&seconds, &parts)) { std::strftime(text, sizeof text, "%m-%d %H:%M:%S", &parts); }
  return text;
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
    text = "waits for more nodes";
  }
  if (job.hang) {
    const double lasts = std::max(0.0, std::chrono::duration<double>(now - job.hang->since).count());
    text += str_cat("; HANGS since ", local_time(job.hang->since), ", for ", fixed(lasts), " s");
  }
  if (state.closed) { text += "; closed: the job has ended"; }
  return status.succeeded ? text + "; all nodes have ended well" : text;
}

/// "4-6" of a node with three workers, from what all nodes before this one have told.
std::string describe_workers(const JobStatus& status, std::int64_t rank) {
  const auto own = status.workers.find(rank);
  if (own == status.workers.end()) { return "?"; }
  std::int64_t first = 0;
  for (const auto& [other, info] : status.workers) {
    if (other < rank) { first += info.local_world_size; }
  }
  const std::int64_t count = own->second.local_world_size;
  return count == 1 ? std::to_string(first) : str_cat(first, "-", first + count - 1);
}

std::string row(const std::string& rank, const std::string& workers, const NodeDesc& node, std::optional<double> age,
                const std::string& progress = {}) {
  char text[160];
  const bool named = !node.addr.empty();  // else a node of a static job that has not told anything
  const std::string pid = node.pid > 0 ? std::to_string(node.pid) : "-";
  std::snprintf(text, sizeof text, "  %5s  %-12s  %-40.80s  %8s  ", rank.c_str(), workers.c_str(),
                named ? output::printable(node.addr, kLongestNodeName).c_str() : "-", pid.c_str());
  std::string line = str_cat(text, age ? fixed(*age) + " s ago" : node.pid > 0 ? "none" : "-");
  if (!progress.empty()) { line.resize(std::max(line.size(), std::string(text).size() + 14), ' '); }
  line += progress;
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

/// "7", "7-9"; a dash where nothing is known.
template <typename Value, typename Format>
std::string range(const progress::NodeSummary& node, const std::optional<Value> progress::RankSummary::* field,
                  Format format) {
  std::optional<Value> least;
  std::optional<Value> most;
  for (const progress::RankSummary& rank : node.ranks) {
    const std::optional<Value>& value = rank.*field;
    if (value && (!least || *value < *least)) { least = value; }
    if (value && (!most || *value > *most)) { most = value; }
  }
  if (!least) { return "-"; }
  const std::string from = format(*least);
  const std::string to = format(*most);
  return from == to ? from : str_cat(from, "-", to);
}

/// "; evaluation since 12.0 s (60.0 s at most)" of the rank that has been in one for the longest.
std::string describe_section(const progress::NodeSummary& node) {
  const progress::RankSummary* longest = nullptr;
  for (const progress::RankSummary& rank : node.ranks) {
    if (!rank.section_age || rank.section.empty()) { continue; }
    if (!longest || *rank.section_age > *longest->section_age) { longest = &rank; }
  }
  if (!longest) { return {}; }
  const std::string limit =
      longest->section_seconds ? str_cat(" (", fixed(*longest->section_seconds), " s at most)") : "";
  return str_cat("  ", longest->section, " since ", fixed(*longest->section_age), " s", limit);
}

std::string describe_refused(const progress::NodeSummary& node) {
  std::int64_t dropped = 0;
  std::int64_t wrong = 0;
  for (const progress::RankSummary& rank : node.ranks) {
    dropped = std::min(dropped + rank.dropped, std::int64_t{1} << 53);
    wrong = std::min(wrong + rank.wrong, std::int64_t{1} << 53);
  }
  std::string text;
  if (dropped > 0) { text += str_cat("  ", dropped, " messages beyond 100 a second"); }
  if (wrong > 0) { text += str_cat("  ", wrong, " wrong messages"); }
  return text;
}

/// " suspect: rank 3" of those that the report of a hang names and that are here.
std::string describe_suspects(const JobState& state, const progress::NodeSummary& node) {
  if (!state.hang) { return {}; }
  std::vector<std::string> here;
  for (const std::int64_t rank : state.hang->ranks) {
    const bool has_it =
        rank >= node.first_rank && rank - node.first_rank < static_cast<std::int64_t>(node.ranks.size());
    if (has_it && here.size() < kShownSuspects) { here.push_back(std::to_string(rank)); }
  }
  if (here.empty()) { return {}; }
  return str_cat("  suspect: rank", here.size() == 1 ? " " : "s ", joined(here));
}

std::string progress_cells(const JobProgress& job, const JobState& state, std::int64_t group_rank) {
  const auto found = job.nodes.find(group_rank);
  if (found == job.nodes.end()) { return "  no data"; }
  const progress::NodeSummary& node = *found->second.summary;
  const auto count = [](std::int64_t number) { return std::to_string(number); };
  std::optional<double> samples;
  for (const progress::RankSummary& rank : node.ranks) {
    if (rank.samples_per_s) { samples = samples.value_or(0) + *rank.samples_per_s; }
  }
  char text[160];
  std::snprintf(text, sizeof text, "  %-13s  %9s  %-13s  %-13s",
                range(node, &progress::RankSummary::step, count).c_str(), samples ? fixed(*samples).c_str() : "-",
                range(node, &progress::RankSummary::own, four_digits).c_str(),
                range(node, &progress::RankSummary::waiting, four_digits).c_str());
  const std::string old = found->second.old ? str_cat("  old: told ", fixed(found->second.age), " s ago") : "";
  return str_cat(text, describe_suspects(state, node), old, describe_section(node), describe_refused(node));
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
  const std::string nodes = str_cat(state.participants.size(), state.participants.size() == 1 ? " node" : " nodes");
  return str_cat(nodes, all ? str_cat(", ", workers, workers == 1 ? " rank" : " ranks") : "",
                 state.round > 0 ? str_cat("; restarts: ", state.round) : "");
}

}  // namespace

std::string format_status(const JobStatus& status, RendezvousTime now) {
  const RendezvousState& state = *status.rendezvous.state;
  const JobProgress job = job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(now));
  const JobState how = job_state(status);
  std::string out =
      str_cat("Job \"", output::printable(status.run_id), "\" at ", to_string(status.endpoint), ": round ", state.round,
              " ", phase_of(status, how, now), "; ", describe_size(status), "\n");
  if (status.rendezvous.master) {
    out += str_cat("Workers meet at ", output::printable(to_string(*status.rendezvous.master)), "\n");
  }
  if (how.hang) { out += describe_hang(*how.hang, job); }
  if (state.complete) { out += describe_progress(job, how); }
  out += "   node  workers       address                                        pid  last heartbeat";
  out += job.nodes.empty() ? "\n" : "  step           samples/s  own s a step   waiting\n";
  for (const auto& [rank, node] : participants_of(state)) {
    out += row(state.complete ? std::to_string(rank) : "-", state.complete ? describe_workers(status, rank) : "-", node,
               heartbeat_age(state, node, now), job.nodes.empty() ? "" : progress_cells(job, how, rank));
  }
  for (const NodeDesc& node : state.wait_list) { out += row("waits", "-", node, heartbeat_age(state, node, now)); }
  for (const NodeDesc& node : state.redundancy_list) {
    out += row("spare", "-", node, heartbeat_age(state, node, now));
  }
  out += describe_events(status);
  if (status.root_cause) { out += report::format_root_cause(*status.root_cause); }
  return out;
}

}  // namespace mdl::launcher::status

#include "launcher/status/node_table.hpp"

#include <algorithm>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/status_numbers.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::c10d::NodeDesc;
using rendezvous::c10d::RendezvousState;
using rendezvous::c10d::RendezvousTime;
using Column = TextTable::Column;

constexpr std::size_t kLongestNodeName = 256;
constexpr std::size_t kLeastAddress = 7;
constexpr std::size_t kNamedSuspects = 8;
constexpr std::size_t kMostPidRuns = 4;

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

/// "evaluation since 12.0 s (60.0 s at most)" of the rank that has been in one for the longest.
std::string describe_section(const progress::NodeSummary& node) {
  const progress::RankSummary* longest = nullptr;
  for (const progress::RankSummary& rank : node.ranks) {
    if (!rank.section_age || rank.section.empty()) { continue; }
    if (!longest || *rank.section_age > *longest->section_age) { longest = &rank; }
  }
  if (!longest) { return {}; }
  const std::string limit =
      longest->section_seconds ? str_cat(" (", fixed(*longest->section_seconds), " s at most)") : "";
  return str_cat(longest->section, " since ", fixed(*longest->section_age), " s", limit);
}

std::string describe_refused(const progress::NodeSummary& node) {
  std::int64_t dropped = 0;
  std::int64_t wrong = 0;
  for (const progress::RankSummary& rank : node.ranks) {
    dropped = std::min(dropped + rank.dropped, std::int64_t{1} << 53);
    wrong = std::min(wrong + rank.wrong, std::int64_t{1} << 53);
  }
  std::vector<std::string> texts;
  if (dropped > 0) { texts.push_back(str_cat(counted(dropped, "message"), " beyond 100 a second")); }
  if (wrong > 0) { texts.push_back(counted(wrong, "wrong message")); }
  return joined(texts, "  ");
}

/// "suspect: rank 3" of those that the report of a hang names and that are here.
std::string describe_suspects(const JobState& state, const progress::NodeSummary& node) {
  if (!state.hang) { return {}; }
  std::vector<std::string> here;
  for (const std::int64_t rank : state.hang->ranks) {
    const bool has_it =
        rank >= node.first_rank && rank - node.first_rank < static_cast<std::int64_t>(node.ranks.size());
    if (has_it && here.size() < kNamedSuspects) { here.push_back(std::to_string(rank)); }
  }
  if (here.empty()) { return {}; }
  return str_cat("suspect: rank", here.size() == 1 ? " " : "s ", joined(here));
}

/// "4712-4719", "4712,4715"; a dash where none is known.
std::string describe_pids(const progress::NodeSummary& node) {
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  for (const progress::RankSummary& rank : node.ranks) {
    if (rank.pid <= 0) { continue; }
    if (!runs.empty() && runs.back().second + 1 == rank.pid) {
      runs.back().second = rank.pid;
    } else {
      runs.emplace_back(rank.pid, rank.pid);
    }
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < std::min(runs.size(), kMostPidRuns); ++i) {
    const auto [first, last] = runs[i];
    texts.push_back(first == last ? std::to_string(first) : str_cat(first, "-", last));
  }
  if (runs.size() > kMostPidRuns) { texts.emplace_back("..."); }
  return texts.empty() ? "-" : joined(texts, ",");
}

/// What each line has, and what its workers have said.
std::vector<Column> columns_of(const JobProgress& job) {
  std::vector<Column> columns{{"node", true},
                              {"workers"},
                              {"address", false, 3, kLeastAddress},
                              {"agent pid", true, 2},
                              {"heartbeat", false, 4}};
  if (job.nodes.empty()) { return columns; }
  for (Column& column : std::vector<Column>{{"step"},
                                            {"samples/s", true, 7},
                                            {"own s/step", false, 6},
                                            {"waiting", false, 5},
                                            {"worker pids", false, 1}}) {
    columns.push_back(std::move(column));
  }
  return columns;
}

std::vector<std::string> agent_cells(std::string rank, std::string workers, const NodeDesc& node,
                                     const std::optional<double>& age) {
  const bool named = !node.addr.empty();  // else a node of a static job that has not told anything
  return {std::move(rank), std::move(workers), named ? output::printable(node.addr, kLongestNodeName) : "-",
          node.pid > 0 ? std::to_string(node.pid) : "-",
          age            ? fixed(*age) + " s ago"
          : node.pid > 0 ? "none"
                         : "-"};
}

void add_progress(std::vector<std::string>& cells, const progress::NodeSummary& node) {
  const auto count = [](std::int64_t number) { return std::to_string(number); };
  std::optional<double> samples;
  for (const progress::RankSummary& rank : node.ranks) {
    if (rank.samples_per_s && !rank.ended) { samples = samples.value_or(0) + *rank.samples_per_s; }
  }
  cells.push_back(range(node, &progress::RankSummary::step, count));
  cells.push_back(samples ? fixed(*samples) : "-");
  cells.push_back(range(node, &progress::RankSummary::own, four_digits));
  cells.push_back(range(node, &progress::RankSummary::waiting, four_digits));
  cells.push_back(describe_pids(node));
}

std::string note_of(const JobProgress::Node& told, const JobState& state) {
  std::vector<std::string> notes{describe_suspects(state, *told.summary)};
  if (told.old) { notes.push_back(str_cat("old: told ", fixed(told.age), " s ago")); }
  notes.push_back(describe_section(*told.summary));
  notes.push_back(describe_refused(*told.summary));
  std::erase(notes, std::string());
  return joined(notes, "  ");
}

}  // namespace

TextTable node_table(const JobStatus& status, const JobProgress& job, const JobState& state, RendezvousTime now) {
  const RendezvousState& round = *status.rendezvous.state;
  TextTable table(columns_of(job));
  for (const auto& [rank, node] : participants_of(round)) {
    const auto told = job.nodes.find(rank);
    const std::optional<std::int64_t> number = known_rank(status, rank, node);
    std::vector<std::string> cells =
        agent_cells(number ? std::to_string(*number) : "-", round.complete ? describe_workers(status, rank) : "-", node,
                    heartbeat_age(round, node, now));
    if (told != job.nodes.end()) {
      add_progress(cells, *told->second.summary);
    } else if (!job.nodes.empty()) {
      cells.emplace_back("no data");
    }
    table.add(std::move(cells), told == job.nodes.end() ? "" : note_of(told->second, state));
  }
  for (const NodeDesc& node : round.wait_list) {
    table.add(agent_cells("waits", "-", node, heartbeat_age(round, node, now)));
  }
  for (const NodeDesc& node : round.redundancy_list) {
    table.add(agent_cells("spare", "-", node, heartbeat_age(round, node, now)));
  }
  return table;
}

}  // namespace mdl::launcher::status

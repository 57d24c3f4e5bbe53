#include "launcher/metrics/metrics_text.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "launcher/metrics/exposition.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"

namespace mdl::launcher::metrics {
namespace {

using progress::RankSummary;
using status::JobProgress;
using status::JobStatus;

constexpr std::size_t kLongestLabel = 256;

std::string label_value(std::string_view text) {
  return output::printable(text, kLongestLabel);
}

/// One rank, and what is written for it again and again.
struct RankRow {
  const RankSummary* said;
  double node_age;  ///< seconds since its node has told it
  bool old;         ///< see progress::kSummaryIsOld
  bool suspect;     ///< the report of a hang names it
  Labels labels;
  std::string text;  ///< of the labels
};

std::optional<double> number(const std::optional<std::int64_t>& count) {
  return count ? std::optional(static_cast<double>(*count)) : std::nullopt;
}

/// What is measured over the last seconds says nothing of now when it is old, or the worker has ended.
std::optional<double> rate(const RankRow& row, const std::optional<double>& value) {
  return row.old || row.said->ended ? std::nullopt : value;
}

std::optional<double> aged(const RankRow& row, const std::optional<double>& age) {
  return age ? std::optional(*age + row.node_age) : std::nullopt;
}

struct RankFamily {
  const char* name;
  const char* type;
  const char* help;
  std::optional<double> (*value)(const RankRow& row);
};

const RankFamily kRankFamilies[] = {
    {"mdl_rank_step", "gauge", "Steps of the training that are done.",
     [](const RankRow& row) { return number(row.said->step); }},
    {"mdl_rank_planned_steps", "gauge", "The step with which the training ends.",
     [](const RankRow& row) { return number(row.said->total); }},
    {"mdl_rank_loss", "gauge", "Loss of the last step.", [](const RankRow& row) { return row.said->loss; }},
    {"mdl_rank_evaluation_loss", "gauge", "Loss of the last evaluation.",
     [](const RankRow& row) { return row.said->eval_loss; }},
    {"mdl_rank_learning_rate", "gauge", "Learning rate of the last step.",
     [](const RankRow& row) { return row.said->learning_rate; }},
    {"mdl_rank_gradient_norm", "gauge", "Norm of the gradient of the last step, before it was clipped.",
     [](const RankRow& row) { return row.said->grad_norm; }},
    {"mdl_rank_samples_total", "counter", "Samples that this worker has gone through since its start.",
     [](const RankRow& row) { return number(row.said->samples); }},
    {"mdl_rank_samples_per_second", "gauge", "Samples a second over the last 30 s.",
     [](const RankRow& row) { return rate(row, row.said->samples_per_s); }},
    {"mdl_rank_steps_per_second", "gauge", "Steps a second over the last 30 s.",
     [](const RankRow& row) { return rate(row, row.said->steps_per_s); }},
    {"mdl_rank_own_seconds_per_step", "gauge", "Time of a step outside collectives, over the last 30 s.",
     [](const RankRow& row) { return rate(row, row.said->own); }},
    {"mdl_rank_waiting_seconds_per_step", "gauge", "Time of a step in collectives, over the last 30 s.",
     [](const RankRow& row) { return rate(row, row.said->waiting); }},
    {"mdl_rank_last_message_age_seconds", "gauge", "Time since the worker has said anything.",
     [](const RankRow& row) { return aged(row, row.said->age); }},
    {"mdl_rank_last_step_age_seconds", "gauge", "Time since the worker has made a step.",
     [](const RankRow& row) { return aged(row, row.said->step_age); }},
    {"mdl_rank_section_age_seconds", "gauge", "Time that the worker has been in its section.",
     [](const RankRow& row) { return aged(row, row.said->section_age); }},
    {"mdl_rank_section_limit_seconds", "gauge", "How long the section takes at the longest, as the worker says.",
     [](const RankRow& row) { return row.said->section_seconds; }},
    {"mdl_rank_suspect", "gauge", "1 for a rank that the report of a hang names, while the job hangs.",
     [](const RankRow& row) { return row.suspect ? std::optional(1.0) : std::nullopt; }},
    {"mdl_rank_dropped_messages_total", "counter", "Messages of the worker beyond 100 a second.",
     [](const RankRow& row) { return std::optional(static_cast<double>(row.said->dropped)); }},
    {"mdl_rank_wrong_messages_total", "counter", "Messages of the worker that are none.",
     [](const RankRow& row) { return std::optional(static_cast<double>(row.said->wrong)); }},
};

/// Writes it all, family by family.
class MetricsWriter {
 public:
  MetricsWriter(const JobStatus& status, rendezvous::c10d::RendezvousTime now)
      : status_(status),
        now_(now),
        job_(status::job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(now))),
        how_(status::job_state(status)),
        labels_{{"job_id", label_value(status.run_id)}},
        text_(to_text(labels_)) {}

  std::string write() {
    write_job();
    if (status_.rendezvous.state) {
      write_round();
      write_nodes();
    }
    write_ranks();
    return out_.take();
  }

 private:
  void one(const char* name, const char* type, const char* help, double value) {
    out_.family(name, type, help);
    out_.sample(text_, value);
  }

  void write_job() {
    Labels info = labels_;
    info.emplace_back("endpoint", label_value(to_string(status_.endpoint)));
    out_.family("mdl_job_info", "gauge", "Always 1; the labels say where the store of the job is.");
    out_.sample(to_text(info), 1);
    using What = status::JobState::What;
    one("mdl_job_up", "gauge", "1 while a round of workers goes on, 0 while nodes are waited for and after the end.",
        how_.what == What::running || how_.what == What::hangs ? 1 : 0);
    one("mdl_job_hangs", "gauge", "1 from the report of a hang until the job goes on or is restarted.",
        how_.hang ? 1 : 0);
    if (!how_.hang) { return; }
    one("mdl_job_hang_seconds", "gauge", "Time since the last step of a job that hangs.",
        std::max(0.0, std::chrono::duration<double>(now_ - how_.hang->since).count()));
  }

  void write_round() {
    const auto& state = *status_.rendezvous.state;
    one("mdl_job_round", "gauge", "Which round of workers it is, from 0.", static_cast<double>(state.round));
    one("mdl_job_restarts_total", "counter", "Rounds after the first, for whatever reason.",
        static_cast<double>(state.round));
    one("mdl_job_nodes", "gauge", "Nodes of the round.", static_cast<double>(state.participants.size()));
    one("mdl_job_waiting_nodes", "gauge", "Nodes that wait for a round, or stand by.",
        static_cast<double>(state.wait_list.size() + state.redundancy_list.size()));
    double workers = 0;
    for (const auto& [rank, info] : status_.workers) { workers += static_cast<double>(info.local_world_size); }
    one("mdl_job_ranks", "gauge", "Workers of the round, as far as its nodes have told.", workers);
    one("mdl_job_reporting_ranks", "gauge", "Workers that have said anything of their progress.",
        static_cast<double>(job_.ranks));
    out_.family("mdl_job_events_total", "counter", "What has happened to the job, by kind (restart: a worker failed).");
    for (const auto& [kind, count] : status_.event_counts) {
      Labels labels = labels_;
      labels.emplace_back("kind", label_value(kind));
      out_.sample(to_text(labels), static_cast<double>(count));
    }
  }

  Labels node_labels(std::int64_t rank, const std::string& host) const {
    Labels labels = labels_;
    labels.emplace_back("node", std::to_string(rank));
    labels.emplace_back("host", label_value(host));
    return labels;
  }

  void write_nodes() {
    const auto& state = *status_.rendezvous.state;
    if (!state.complete) { return; }
    out_.family("mdl_node_heartbeat_age_seconds", "gauge", "Time since the last heartbeat of the node's agent.");
    for (const auto& [node, rank] : state.participants) {
      const auto age = status::heartbeat_age(state, node, now_);
      const auto told = job_.nodes.find(rank);
      const std::string& host = told == job_.nodes.end() ? node.addr : told->second.summary->host;
      if (age) { out_.sample(to_text(node_labels(rank, host)), *age); }
    }
    out_.family("mdl_node_report_age_seconds", "gauge", "Time since the node has told how its workers get on.");
    for (const auto& [rank, node] : job_.nodes) {
      out_.sample(to_text(node_labels(rank, node.summary->host)), node.age);
    }
  }

  std::vector<RankRow> rank_rows() const {
    std::vector<RankRow> rows;
    for (const auto& [group_rank, node] : job_.nodes) {
      std::int64_t rank = node.summary->first_rank;
      for (const RankSummary& said : node.summary->ranks) {
        if (rows.size() >= kMostRanksShown) { return rows; }
        Labels labels = node_labels(group_rank, node.summary->host);
        const bool suspect = how_.hang && how_.hang->names(rank);
        labels.emplace_back("rank", std::to_string(rank++));
        std::string text = to_text(labels);
        rows.push_back({&said, node.age, node.old, suspect, std::move(labels), std::move(text)});
      }
    }
    return rows;
  }

  void write_ranks() {
    const std::vector<RankRow> rows = rank_rows();
    for (const RankFamily& family : kRankFamilies) {
      out_.family(family.name, family.type, family.help);
      for (const RankRow& row : rows) {
        const auto value = family.value(row);
        if (value) { out_.sample(row.text, *value); }
      }
    }
    out_.family("mdl_rank_section_info", "gauge", "Always 1; what the worker does beside steps.");
    for (const RankRow& row : rows) {
      if (row.said->section.empty()) { continue; }
      Labels labels = row.labels;
      labels.emplace_back("section", label_value(row.said->section));
      out_.sample(to_text(labels), 1);
    }
  }

  const JobStatus& status_;
  const rendezvous::c10d::RendezvousTime now_;
  const JobProgress job_;
  const status::JobState how_;
  const Labels labels_;
  const std::string text_;
  Exposition out_{};
};

}  // namespace

std::string metrics_text(const JobStatus& status, rendezvous::c10d::RendezvousTime now) {
  return MetricsWriter(status, now).write();
}

}  // namespace mdl::launcher::metrics

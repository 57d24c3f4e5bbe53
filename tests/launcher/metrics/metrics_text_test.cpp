#include "launcher/metrics/metrics_text.hpp"

#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::metrics;
using namespace mdl::rendezvous::c10d;
using Catch::Contains;
using namespace std::chrono_literals;

namespace {

const RendezvousTime kMetricsNow{std::chrono::seconds(1'700'000'000)};

/// Node 0 has told of two ranks two seconds ago, node 1 is torchrun's.
status::JobStatus measured_job() {
  status::JobStatus job;
  job.run_id = "a\"1";
  job.endpoint = Endpoint("10.0.0.9", 29400);
  RendezvousState state;
  state.round = 4;
  state.complete = true;
  const NodeDesc first{"10.0.0.1", 11, 0};
  const NodeDesc second{"10.0.0.2", 22, 0};
  state.participants = {{first, 0}, {second, 1}};
  state.wait_list = {{"10.0.0.3", 1, 0}};
  state.redundancy_list = {{"10.0.0.4", 1, 0}};
  state.last_heartbeats = {{first, kMetricsNow - 1500ms}, {second, kMetricsNow - 250ms}};
  job.rendezvous.state = state;
  job.workers = {{0, {"default", 0, 2}}, {1, {"default", 1, 1}}};
  job.event_counts = {{"restart", 3}, {"round", 5}};
  progress::NodeSummary node;
  node.written = std::chrono::floor<std::chrono::milliseconds>(kMetricsNow) - 2s;
  node.host = "gpu7";
  node.ranks.resize(2);
  progress::RankSummary& rank = node.ranks[0];
  rank.step = 118;
  rank.total = 500;
  rank.loss = std::numeric_limits<double>::quiet_NaN();
  rank.eval_loss = 1.5;
  rank.learning_rate = 0.25;
  rank.grad_norm = std::numeric_limits<double>::infinity();
  rank.samples = 472;
  rank.samples_per_s = 20.5;
  rank.steps_per_s = 5.125;
  rank.own = 0.5;
  rank.waiting = 0.25;
  rank.age = 1;
  rank.step_age = 3;
  rank.section = "evaluation";
  rank.section_age = 4;
  rank.section_seconds = 60;
  rank.dropped = 7;
  rank.wrong = 1;
  job.progress[0] = node;
  return job;
}

}  // namespace

TEST_CASE("the metrics of a job are what its store says of it, its nodes and its ranks") {
  const std::string text = metrics_text(measured_job(), kMetricsNow);
  const auto has = [&](const std::string& line) { CHECK_THAT("\n" + text, Contains("\n" + line + "\n")); };
  has(R"(mdl_job_info{job_id="a\"1",endpoint="10.0.0.9:29400"} 1)");
  has(R"(mdl_job_up{job_id="a\"1"} 1)");
  has(R"(mdl_job_round{job_id="a\"1"} 4)");
  has(R"(mdl_job_restarts_total{job_id="a\"1"} 4)");
  has(R"(mdl_job_nodes{job_id="a\"1"} 2)");
  has(R"(mdl_job_waiting_nodes{job_id="a\"1"} 2)");
  has(R"(mdl_job_ranks{job_id="a\"1"} 3)");
  has(R"(mdl_job_reporting_ranks{job_id="a\"1"} 1)");
  has(R"(mdl_job_events_total{job_id="a\"1",kind="restart"} 3)");
  has(R"(mdl_node_heartbeat_age_seconds{job_id="a\"1",node="0",host="gpu7"} 1.5)");
  has(R"(mdl_node_heartbeat_age_seconds{job_id="a\"1",node="1",host="10.0.0.2"} 0.25)");
  has(R"(mdl_node_report_age_seconds{job_id="a\"1",node="0",host="gpu7"} 2)");
  const std::string rank = R"({job_id="a\"1",node="0",host="gpu7",rank="0"} )";
  has("mdl_rank_step" + rank + "118");
  has("mdl_rank_planned_steps" + rank + "500");
  has("mdl_rank_loss" + rank + "NaN");
  has("mdl_rank_evaluation_loss" + rank + "1.5");
  has("mdl_rank_learning_rate" + rank + "0.25");
  has("mdl_rank_gradient_norm" + rank + "+Inf");
  has("mdl_rank_samples_total" + rank + "472");
  has("mdl_rank_samples_per_second" + rank + "20.5");
  has("mdl_rank_steps_per_second" + rank + "5.125");
  has("mdl_rank_own_seconds_per_step" + rank + "0.5");
  has("mdl_rank_waiting_seconds_per_step" + rank + "0.25");
  has("mdl_rank_last_message_age_seconds" + rank + "3");
  has("mdl_rank_last_step_age_seconds" + rank + "5");
  has("mdl_rank_section_age_seconds" + rank + "6");
  has("mdl_rank_section_limit_seconds" + rank + "60");
  has("mdl_rank_dropped_messages_total" + rank + "7");
  has("mdl_rank_wrong_messages_total" + rank + "1");
  has(R"(mdl_rank_section_info{job_id="a\"1",node="0",host="gpu7",rank="0",section="evaluation"} 1)");
  CHECK_THAT(text,
             !Contains(R"(mdl_rank_step{job_id="a\"1",node="0",host="gpu7",rank="1"})") && !Contains("section=\"\""));
}

TEST_CASE("the rates of a node that has told nothing for long are left out of its metrics, and its counters stay") {
  status::JobStatus job = measured_job();
  job.progress[0].written -= 40s;
  const std::string text = metrics_text(job, kMetricsNow);
  CHECK_THAT(text, !Contains("_per_second{") && !Contains("_per_step{"));
  CHECK_THAT(text, Contains("mdl_rank_step{") && Contains("mdl_rank_samples_total{") &&
                       Contains(R"(mdl_node_report_age_seconds{job_id="a\"1",node="0",host="gpu7"} 42)"));
}

TEST_CASE("a worker that has ended has no rates, so that a sum over ranks counts none that is gone") {
  status::JobStatus job = measured_job();
  CHECK_THAT(metrics_text(job, kMetricsNow), Contains("_per_second{") && Contains("_per_step{"));
  for (progress::RankSummary& rank : job.progress[0].ranks) { rank.ended = true; }
  const std::string text = metrics_text(job, kMetricsNow);
  CHECK_THAT(text, !Contains("_per_second{") && !Contains("_per_step{"));
  CHECK_THAT(text, Contains("mdl_rank_step{"));
}

TEST_CASE("a job is up while a round of workers goes on") {
  const auto up = [](const status::JobStatus& job) {
    const std::string text = metrics_text(job, kMetricsNow);
    const std::string line = R"(mdl_job_up{job_id="a\"1"} )";
    return text.substr(text.find(line) + line.size(), 2);
  };
  status::JobStatus job = measured_job();
  CHECK(up(job) == "1\n");
  job.succeeded = true;
  CHECK(up(job) == "0\n");
  job = measured_job();
  job.root_cause = report::RootCause();
  CHECK(up(job) == "0\n");
  job = measured_job();
  job.rendezvous.state->closed = true;
  CHECK(up(job) == "0\n");
  job = measured_job();
  job.rendezvous.state->complete = false;
  CHECK(up(job) == "0\n");
  CHECK_THAT(metrics_text(job, kMetricsNow), !Contains("mdl_node_heartbeat_age_seconds{"));
  job.rendezvous.state.reset();
  CHECK(up(job) == "0\n");
}

TEST_CASE("however many ranks a store speaks of, the metrics have no more than they may") {
  status::JobStatus job = measured_job();
  job.progress[0].ranks.resize(4096, job.progress[0].ranks[0]);
  for (std::int64_t node = 1; node < 6; ++node) {
    job.progress[node] = job.progress[0];
    job.progress[node].first_rank = 4096 * node;
  }
  const std::string text = metrics_text(job, kMetricsNow);
  const std::string sample = "\nmdl_rank_wrong_messages_total{";
  std::size_t samples = 0;
  for (std::size_t at = text.find(sample); at != std::string::npos; at = text.find(sample, at + 1)) { ++samples; }
  CHECK(samples == kMostRanksShown);
}

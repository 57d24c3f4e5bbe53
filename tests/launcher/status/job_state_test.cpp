#include "launcher/status/job_state.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "launcher/dashboard/state_json.hpp"
#include "launcher/metrics/metrics_text.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace mdl::rendezvous::c10d;
using Catch::Contains;
using namespace std::chrono_literals;
using What = JobState::What;

namespace {

const RendezvousTime kHungNow{std::chrono::seconds(1'700'000'000)};
const progress::NodeTime kTold = std::chrono::floor<std::chrono::milliseconds>(kHungNow) - 15s;

progress::JobEvent event_of(const char* kind, const char* text) {
  progress::JobEvent event;
  event.at = kTold;
  event.host = "node0";
  event.kind = kind;
  event.text = text;
  return event;
}

/// Two nodes with two ranks each, of which rank 3 is stopped: the last step is 75 s ago, and the hang was told 15 s
/// ago.
JobStatus hung_job() {
  JobStatus job;
  job.run_id = "j";
  RendezvousState state;
  state.complete = true;
  for (int node = 0; node < 2; ++node) {
    state.participants[{"node" + std::to_string(node), 11 + node, 0}] = node;
    job.workers[node] = {"default", node, 2};
    progress::NodeSummary& told = job.progress[node];
    told.group_rank = node;
    told.written = std::chrono::floor<std::chrono::milliseconds>(kHungNow) - 1s;
    told.host = "node" + std::to_string(node);
    told.first_rank = 2 * node;
    told.ranks.resize(2);
    for (progress::RankSummary& rank : told.ranks) {
      rank.step = 118;
      rank.total = 500;
      rank.steps_per_s = 0;
      rank.own = 0.5;
      rank.age = rank.step_age = 74;
    }
  }
  job.progress[1].ranks[1].own = 2;
  job.progress[1].ranks[1].pid = 4713;
  job.rendezvous.state = state;
  job.events = {event_of("round", "round 0 begins"),
                event_of("hang", "the job hangs: rank 3 on node1 is stopped (state T)")};
  job.events.back().hang = progress::HangFacts{kTold - 60s, {3}, 0, 118};
  return job;
}

}  // namespace

TEST_CASE("a job hangs from the report of it until it goes on, fails or begins another round") {
  JobStatus job = hung_job();
  const JobState state = job_state(job);
  REQUIRE((state.what == What::hangs && state.hang));
  CHECK((state.hang->since == kTold - 60s && state.hang->verdict == "rank 3 on node1 is stopped (state T)"));
  CHECK((state.hang->names(3) && !state.hang->names(0)));
  job.events.push_back(event_of("straggler", "rank 1 on node0 is slow no longer"));
  CHECK(job_state(job).what == What::hangs);
  for (const char* kind : {"hang", "round", "restart", "membership", "failed"}) {
    job = hung_job();
    job.events.push_back(event_of(kind, "what ends it"));
    CAPTURE(kind);
    CHECK((job_state(job).what == What::running && !job_state(job).hang));
  }
  job = hung_job();
  job.progress[0].ranks[0].step = 119;
  CHECK(job_state(job).what == What::running);
}

TEST_CASE("a hang lasts until a step of its round is above those that were known, whatever the clocks say") {
  JobStatus job = hung_job();
  job.rendezvous.state->round = 2;
  for (auto& [node, told] : job.progress) { told.round = 2; }
  auto& facts = *job.events.back().hang;
  facts.round = 2;
  facts.step = 118;
  for (const auto off : {-3600s, 0s, 3600s}) {
    job.events.back().at = kTold + off;
    CHECK(job_state(job).what == What::hangs);
  }
  job.progress[1].ranks[0].step = 119;
  CHECK((job_state(job).what == What::running && !job_state(job).hang));
  job.progress[1].round = 1;  // another round's step
  CHECK(job_state(job).what == What::hangs);
  facts.step.reset();  // no step was known
  CHECK(job_state(job).what == What::running);
  for (auto& [node, told] : job.progress) {
    for (progress::RankSummary& rank : told.ranks) { rank.step.reset(); }
  }
  CHECK(job_state(job).what == What::hangs);
}

TEST_CASE("a hang of another round is none, also where nobody has told that the next one began") {
  JobStatus job = hung_job();
  job.rendezvous.state->round = 3;
  job.progress.clear();
  job.events.back().hang->round = 3;
  CHECK(job_state(job).what == What::hangs);
  job.events.back().hang->round = 2;
  CHECK((job_state(job).what == What::running && !job_state(job).hang));
}

TEST_CASE("the state of a job is its end, where it has ended, and waiting without a round") {
  JobStatus job = hung_job();
  job.rendezvous.state->closed = true;
  CHECK(job_state(job).what == What::ended);
  job.succeeded = true;
  CHECK(job_state(job).what == What::succeeded);
  job.root_cause = report::RootCause();
  CHECK((job_state(job).what == What::failed && !job_state(job).hang));
  job = hung_job();
  job.rendezvous.state->complete = false;
  CHECK((job_state(job).what == What::waiting && !job_state(job).hang));
  job.launcher_end = "SIGINT";
  CHECK(job_state(job).what == What::ended);
  const auto page = nlohmann::json::parse(dashboard::state_json(job, "node0:29400", kHungNow));
  CHECK((page["state"] == "ended" && page["ended_by"] == "SIGINT"));
  job.launcher_end.reset();
  job.rendezvous.state.reset();
  CHECK(std::string(word_of(job_state(job).what)) == "waiting");
}

TEST_CASE("status, its JSON, the metrics and the page say alike that a job hangs, since when, and who is suspect") {
  const JobStatus job = hung_job();
  const std::string text = format_status(job, kHungNow);
  CHECK_THAT(text,
             Catch::Matches("Job \"j\" [^\n]*: round 0 complete; HANGS since \\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d, for "
                            "75\\.0 s; 2 nodes, 4 ranks\nHang: rank 3 on node1 is stopped \\(state T\\)\n"
                            "  rank 3 on node1 \\(pid 4713\\), step 118 75\\.0 s ago\n[^]*"));
  CHECK_THAT(text,
             Catch::Matches("[^]*\n +0  0-1 [^\n]*\n +1  2-3 [^\n]*  suspect: rank 3\n[^]*") && !Contains("Slowest"));
  const auto json = nlohmann::json::parse(status_to_json(job, kHungNow));
  CHECK((json["state"] == "hangs" && json["hang"]["ranks"] == nlohmann::json{3} && json["hang"]["for_s"] == 75.0));
  CHECK(json["hang"]["verdict"] == "rank 3 on node1 is stopped (state T)");
  CHECK((json["ranks"][3]["pid"] == 4713 && json["ranks"][2]["pid"].is_null()));
  CHECK((json["ranks"][3]["suspect"] == true && json["ranks"][2]["suspect"] == false));
  const auto page = nlohmann::json::parse(dashboard::state_json(job, "node0:29400", kHungNow));
  CHECK((page["state"] == "hangs" && page["hang"] == json["hang"]));
  const std::string metrics = metrics::metrics_text(job, kHungNow);
  CHECK_THAT(metrics, Contains("\nmdl_job_hangs{job_id=\"j\"} 1\n") &&
                          Contains("\nmdl_job_hang_seconds{job_id=\"j\"} 75\n") &&
                          Contains("\nmdl_rank_suspect{job_id=\"j\",node=\"1\",host=\"node1\",rank=\"3\"} 1\n"));
  CHECK_THAT(metrics,
             !Contains("mdl_rank_suspect{job_id=\"j\",node=\"0\"") && Contains("\nmdl_job_up{job_id=\"j\"} 1\n"));
}

TEST_CASE("of a job that runs nothing says that it hangs") {
  JobStatus job = hung_job();
  job.events.pop_back();
  CHECK_THAT(format_status(job, kHungNow), !Contains("HANGS") && !Contains("Hang:") && !Contains("suspect"));
  const auto json = nlohmann::json::parse(status_to_json(job, kHungNow));
  CHECK((json["state"] == "running" && json["hang"].is_null() && json["ranks"][3]["suspect"] == false));
  const std::string metrics = metrics::metrics_text(job, kHungNow);
  CHECK_THAT(metrics, Contains("\nmdl_job_hangs{job_id=\"j\"} 0\n") && !Contains("\nmdl_job_hang_seconds{") &&
                          !Contains("\nmdl_rank_suspect{"));
}

#include "launcher/dashboard/state_json.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "launcher/dashboard/rank_places.hpp"
#include "launcher/progress/slow_rank.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::dashboard;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const RendezvousTime kShownAt{std::chrono::seconds(1'700'000'000)};

status::JobStatus shown_job(int nodes) {
  RendezvousState state;
  state.round = 1;
  state.complete = true;
  status::JobStatus status;
  for (int node = 0; node < nodes; ++node) {
    const NodeDesc description{str_cat("10.0.1.", node), 100 + node, 0};
    state.participants[description] = node;
    state.last_heartbeats[description] = kShownAt - 1500ms;
    status.workers[node] = {"default", node, 8};
  }
  status.run_id = "j";
  status.rendezvous.state = state;
  return status;
}

progress::NodeSummary busy_node(int node) {
  progress::NodeSummary summary;
  summary.round = 1;
  summary.group_rank = node;
  summary.written = std::chrono::floor<std::chrono::milliseconds>(kShownAt) - 2s;
  summary.host = str_cat("gpu-node-", node);
  summary.first_rank = 8 * node;
  for (int i = 0; i < 8; ++i) {
    progress::RankSummary rank;
    rank.step = 12'345 + i;
    rank.total = 100'000;
    rank.loss = 2.0 / (i + 3);
    rank.samples = 98'760 + i;
    rank.samples_per_s = 41.0 / (i + 1);
    rank.steps_per_s = 5.0 / 3;
    rank.own = 0.4 + 0.1 / (i + 1);
    rank.waiting = 0.2 / (i + 1);
    rank.age = rank.step_age = 0.123456789;
    rank.pid = 4'194'000 + i;
    summary.ranks.push_back(rank);
  }
  return summary;
}

/// Rank by rank, with the names of the columns.
std::vector<std::map<std::string, json>> named_ranks(const json& state) {
  std::vector<std::map<std::string, json>> ranks;
  for (const json& row : state.at("ranks")) {
    auto& rank = ranks.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) { rank[state.at("columns")[i].get<std::string>()] = row[i]; }
  }
  return ranks;
}

}  // namespace

TEST_CASE("the page gets which ranks are slow, by the rule that the log has") {
  status::JobStatus status = shown_job(1);
  const auto slow = [&] {
    const json state = json::parse(state_json(status, "node0:29400", kShownAt));
    CHECK(state["slow_times"] == progress::kSlowTimes);
    std::vector<std::int64_t> ranks;
    for (const auto& rank : named_ranks(state)) {
      if (rank.contains("slow") && rank.at("slow") == 1) { ranks.push_back(rank.at("rank")); }
    }
    return ranks;
  };
  CHECK(slow().empty());
  status.progress[0] = busy_node(0);
  CHECK(slow().empty());
  for (const std::size_t i : {2, 5}) {
    status.progress[0].ranks[i].own = 0.6;
    status.progress[0].ranks[i].waiting = 0.01;
  }
  CHECK(slow() == std::vector<std::int64_t>{2, 5});
  status.progress[0].ranks[2].ended = true;
  status.progress[0].ranks[5].waiting = 0.5;  // it is held up itself
  CHECK(slow().empty());
}

TEST_CASE("the page gets all ranks, those of which nothing is known as well") {
  status::JobStatus status = shown_job(3);
  status.progress[1] = busy_node(1);
  progress::RankSummary& odd = status.progress[1].ranks[7];
  odd = progress::RankSummary();
  odd.age = 1;
  odd.loss = NAN;
  odd.section = "evaluation \"x\"";
  odd.section_seconds = 60;
  odd.section_age = 1;
  odd.wrong = 2;
  odd.eval_loss = 1.5;
  odd.grad_norm = INFINITY;
  odd.learning_rate = -INFINITY;
  const std::string text = state_json(status, "node0:29400", kShownAt);
  CHECK(text.find('\n') == std::string::npos);
  const json state = json::parse(text);
  CHECK((state["job"] == "j" && state["where"] == "node0:29400" && state["round"] == 1 && state["complete"] == true));
  CHECK((state["root_cause"].is_null() && state["succeeded"] == false && state["ranks_in_all"] == 24));
  CHECK((state["nodes"][1]["host"] == "gpu-node-1" && state["nodes"][1]["told_age_s"] == 2.0));
  CHECK((state["nodes"][2]["host"] == "10.0.1.2" && state["nodes"][2]["told_age_s"].is_null()));
  CHECK(state["nodes"][0]["heartbeat_age_s"] == 1.5);
  CHECK(state["progress"]["behind"] == json({{"rank", 8}, {"step", 12'345}}));
  const auto ranks = named_ranks(state);
  REQUIRE(ranks.size() == 24);
  CHECK(ranks[3] == std::map<std::string, json>{{"rank", 3}, {"node", 0}});
  CHECK((ranks[9].at("rank") == 9 && ranks[9].at("node") == 1 && ranks[9].at("step") == 12'346));
  CHECK(ranks[9].at("pid") == 4'194'001);
  CHECK((ranks[9].at("loss") == 0.5 && ranks[9].at("own") == 0.45 && ranks[9].at("age") == 2.1));
  CHECK((ranks[15].at("loss") == "nan" && ranks[15].at("section") == "evaluation \"x\""));
  CHECK((ranks[15].at("section_age") == 3.0 && ranks[15].at("dropped").is_null() && ranks[15].at("wrong") == 2));
  CHECK((ranks[15].at("eval_loss") == 1.5 && ranks[15].at("grad_norm") == "inf"));
  CHECK(ranks[15].at("learning_rate") == "-inf");
  CHECK((state["nodes"][1]["rank"] == 1 && state["nodes"][1]["old"] == false && state["nodes"][2]["old"] == false));
  CHECK(state["last_call_ends_in_s"].is_null());
}

TEST_CASE("the page is told of a node that is old, of who is waited for until when, and why the job has failed") {
  status::JobStatus status = shown_job(2);
  status.progress[1] = busy_node(1);
  status.progress[1].written = std::chrono::floor<std::chrono::milliseconds>(kShownAt) - 16s;
  CHECK(json::parse(state_json(status, "node0:29400", kShownAt))["nodes"][1]["old"] == true);
  status.rendezvous.state->complete = false;
  status.rendezvous.state->deadline = kShownAt + 25s;
  status.root_cause.emplace();
  status.root_cause->rank = 3;
  status.root_cause->end = "exit code 1";
  const json state = json::parse(state_json(status, "node0:29400", kShownAt));
  CHECK((state["nodes"][0]["rank"].is_null() && state["last_call_ends_in_s"] == 25.0));
  CHECK((state["root_cause"]["rank"] == 3 && state["root_cause"]["end"] == "exit code 1"));
}

TEST_CASE("what the page gets of a thousand ranks is about 100 KB") {
  status::JobStatus status = shown_job(125);
  for (int node = 0; node < 125; ++node) { status.progress[node] = busy_node(node); }
  const std::string text = state_json(status, "node0:29400", kShownAt);
  CHECK(text.size() < 120'000);
  CHECK(json::parse(text).at("ranks").size() == 1000);
}

TEST_CASE("what strangers put into the store for the page is printable and bounded") {
  status::JobStatus status = shown_job(2);
  status.workers[0].local_world_size = std::int64_t{1} << 60;
  status.workers[1].local_world_size = -5;
  const NodeDesc stranger{"a\x1b[2J<b>\xff", 1, 0};
  status.rendezvous.state->wait_list.insert(stranger);
  const json state = json::parse(state_json(status, "node0:29400", kShownAt));
  CHECK((state["ranks"].size() <= kMostShownRanks && state["waiting"] == json::array({"a<b>"})));
  CHECK(state["ranks_in_all"] == 4096);
  status.progress[1] = busy_node(1);
  status.progress[1].first_rank = std::int64_t{1} << 53;
  status.progress[1].ranks[0].section_seconds = 1e12;
  const auto ranks = named_ranks(json::parse(state_json(status, "node0:29400", kShownAt)));
  REQUIRE(ranks.size() == 4096 + 8);
  CHECK((ranks[4096].at("rank") == std::int64_t{1} << 32 && !ranks[4096].contains("section_seconds")));

  status = shown_job(static_cast<int>(kMostShownRanks) + 1);
  for (auto& [node, workers] : status.workers) { workers.local_world_size = node < 5 ? 4096 : 0; }
  for (int i = 0; i < 30; ++i) { status.rendezvous.state->wait_list.insert({str_cat("w", i), 1, 0}); }
  const json most = json::parse(state_json(status, "node0:29400", kShownAt));
  CHECK((most["ranks"].size() == kMostShownRanks && most["ranks_in_all"] == 5 * 4096));
  CHECK((most["nodes"].size() == kMostShownRanks && most["waiting"].size() == 20));
}

TEST_CASE("a rank is found on its node, also where only its agent has told how many it has") {
  status::JobStatus status = shown_job(3);
  status.progress[1] = busy_node(1);
  const auto job = status::job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(kShownAt));
  const auto places = rank_places(status, job);
  CHECK((node_of(places, 0) == 0 && node_of(places, 7) == 0 && node_of(places, 8) == 1 && node_of(places, 23) == 2));
  CHECK_FALSE((node_of(places, 24) || node_of(places, -1)));
  // What a node has told itself counts more, and those after it follow.
  status.progress[1].first_rank = 40;
  status.progress[1].ranks.resize(3);
  const auto told = status::job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(kShownAt));
  const auto moved = rank_places(status, told);
  CHECK((node_of(moved, 42) == 1 && node_of(moved, 43) == 2 && node_of(moved, 50) == 2));
  CHECK_FALSE((node_of(moved, 8) || node_of(moved, 51)));
  status.rendezvous.state->complete = false;
  CHECK(rank_places(status, job).empty());
  status.rendezvous.state.reset();
  CHECK(rank_places(status, job).empty());
}

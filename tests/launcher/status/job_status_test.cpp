#include "launcher/status/job_status.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace mdl::launcher::report;
using namespace mdl::rendezvous::c10d;
using Catch::Contains;
using namespace std::chrono_literals;

namespace {

const RendezvousTime kNow{std::chrono::seconds(1'700'000'000)};

JobStatus two_nodes() {
  RendezvousState state;
  state.round = 4;
  state.complete = true;
  const NodeDesc first{"10.0.0.1", 11, 0};
  const NodeDesc second{"10.0.0.2", 22, 0};
  state.participants = {{first, 1}, {second, 0}};  // ranks need not follow the names
  state.last_heartbeats = {{first, kNow - 1500ms}, {second, kNow + 1s}};
  JobStatus status;
  status.run_id = "a1";
  status.endpoint = Endpoint("10.0.0.9", 29400);
  status.rendezvous.state = state;
  return status;
}

}  // namespace

TEST_CASE("the status of a complete round has nodes by rank, with their workers' ranks and their heartbeats") {
  JobStatus status = two_nodes();
  status.rendezvous.master = Endpoint("10.0.0.2", 4321);
  status.workers = {{0, {"default", 0, 3}}, {1, {"default", 1, 1}}};
  const std::string text = format_status(status, kNow);
  CHECK_THAT(text, Contains("\"a1\" at 10.0.0.9:29400: round 4 complete") && Contains("10.0.0.2:4321"));
  CHECK_THAT(
      text,
      Catch::Matches("[^]*\n +0  0-2 +10\\.0\\.0\\.2 +22  0\\.0 s ago\n +1  3 +10\\.0\\.0\\.1 +11  1\\.5 s ago\n[^]*"));
}

TEST_CASE("a round that forms says what it waits for") {
  JobStatus status = two_nodes();
  status.rendezvous.state->complete = false;
  CHECK_THAT(format_status(status, kNow), Contains("waits for more nodes"));
  status.rendezvous.state->deadline = kNow + 2500ms;
  CHECK_THAT(format_status(status, kNow), Contains("last call for more ends in 2.5 s"));
}

TEST_CASE("nodes that wait or stand by, the end of a job and its reason are in its status") {
  JobStatus status = two_nodes();
  status.rendezvous.state->wait_list = {{"late", 5, 0}};
  status.rendezvous.state->redundancy_list = {{"extra", 6, 0}};
  status.rendezvous.state->closed = true;
  RootCause cause;
  cause.rank = 3;
  cause.host = "node3";
  cause.end = "exit code 9";
  status.root_cause = cause;
  const std::string text = format_status(status, kNow);
  CHECK_THAT(text, Contains("closed") && Contains("Root cause: rank 3") && Contains("exit code 9"));
  CHECK_THAT(text, Catch::Matches("[^]*\n +waits +- +late +5  none\n +spare +- +extra +6  none\n[^]*"));
}

TEST_CASE("the status as JSON has the same, and null for what is not known") {
  JobStatus status = two_nodes();
  status.rendezvous.state->wait_list = {{"late\x1b[2J\xff", 5, 0}};
  const auto json = nlohmann::json::parse(status_to_json(status, kNow));
  CHECK(json["job"] == "a1");
  CHECK(json["round"] == 4);
  CHECK(json["nodes"][0]["addr"] == "10.0.0.2");
  CHECK(json["nodes"][1]["rank"] == 1);
  CHECK(json["nodes"][1]["heartbeat_age_s"] == Approx(1.5));
  CHECK(json["nodes"][1]["workers"].is_null());
  CHECK(json["wait_list"][0]["addr"] == "late");
  CHECK(json["wait_list"][0]["heartbeat_age_s"].is_null());
  CHECK(json["root_cause"].is_null());
}

namespace {

/// Two ranks of node 0, of which one is in a section; node 1 is torchrun's.
JobStatus busy_job() {
  JobStatus status = two_nodes();
  status.workers = {{0, {"default", 0, 2}}, {1, {"default", 1, 2}}};
  progress::NodeSummary node;
  node.written = std::chrono::floor<std::chrono::milliseconds>(kNow) - 2s;
  node.host = "node0";
  node.ranks.resize(2);
  node.ranks[0].step = 118;
  node.ranks[0].total = 500;
  node.ranks[0].loss = 2.3141;
  node.ranks[0].samples_per_s = 20.5;
  node.ranks[0].age = node.ranks[0].step_age = 1;
  node.ranks[0].own = 0.5;
  node.ranks[1] = node.ranks[0];
  node.ranks[1].step = 120;
  node.ranks[1].own = 0.75;
  node.ranks[1].pid = 4712;
  node.ranks[1].section = "evaluation";
  node.ranks[1].section_age = 4;
  node.ranks[1].section_seconds = 60;
  status.progress[0] = node;
  status.events = {{7, node.written, "node0", "restart", "restart 1 of 3: rank 3 failed with exit code 3"}};
  return status;
}

}  // namespace

TEST_CASE("the status says how the job gets on, node by node, and of whom nothing is known") {
  const std::string text = format_status(busy_job(), kNow);
  CHECK_THAT(text, Contains("; 2 nodes, 4 ranks; restarts: 4\n"));
  CHECK_THAT(
      text,
      Contains(
          "Progress: step 118 of 500 (rank 0) to 120 (rank 1); 41.0 samples/s; loss 2.314; last step 3.0 s ago\n"));
  CHECK_THAT(text, Contains("Slowest rank: 1 on node0 (pid 4712), 0.75 s of its own a step; the median is 0.5 s\n"));
  CHECK_THAT(text,
             Catch::Matches(
                 "[^]*\n +0  0-1 .* 118-120 +41\\.0  0\\.5-0\\.75 +- +4712 +evaluation since 4\\.0 s \\(60\\.0 s at "
                 "most\\)\n +1  2-3 .* no data\n[^]*"));
  CHECK_THAT(text,
             Catch::Matches("[^]*\nLast events:\n  \\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d  node0  restart 1 of 3: rank 3 "
                            "failed with exit code 3\n[^]*"));
}

TEST_CASE("a node's summary that is old is told as old") {
  JobStatus status = busy_job();
  CHECK_THAT(format_status(status, kNow), !Contains("old"));
  status.progress[0].written -= 40s;
  CHECK_THAT(format_status(status, kNow), Contains("old: told 42.0 s ago"));
  const auto json = nlohmann::json::parse(status_to_json(status, kNow));
  CHECK((json["ranks"][0]["old"] == true && json["ranks"][0]["age_s"] == Approx(43)));
  CHECK(json["progress"]["samples_per_s"].is_null());
}

TEST_CASE("a job of which no worker says anything has a status without progress") {
  const std::string text = format_status(two_nodes(), kNow);
  CHECK_THAT(text, Contains("Progress: no data") && !Contains("Slowest") && !Contains("events"));
  const auto json = nlohmann::json::parse(status_to_json(two_nodes(), kNow));
  CHECK((json["progress"].is_null() && json["ranks"].empty() && json["events"].empty()));
}

TEST_CASE("a job whose ranks send steps alone has no slowest rank, and its status says why") {
  JobStatus status = busy_job();
  for (auto& rank : status.progress[0].ranks) {
    rank.own.reset();
    rank.steps_per_s = 2;
  }
  CHECK_THAT(format_status(status, kNow), Contains("Slowest rank: not known, as no rank sends its own time"));
  auto json = nlohmann::json::parse(status_to_json(status, kNow));
  CHECK((json["progress"]["slowest"].is_null() && json["progress"]["no_slowest"] == "no_own"));
  for (auto& rank : status.progress[0].ranks) { rank.steps_per_s.reset(); }
  CHECK_THAT(format_status(status, kNow), Contains("Slowest rank: not known yet, as that takes two steps\n"));
  json = nlohmann::json::parse(status_to_json(status, kNow));
  CHECK(json["progress"]["no_slowest"] == "two_steps");
}

TEST_CASE("a job whose workers have ended has no slowest rank, and its status says why") {
  JobStatus status = busy_job();
  for (auto& rank : status.progress[0].ranks) { rank.ended = true; }
  const std::string text = format_status(status, kNow);
  CHECK_THAT(text, Contains("Slowest rank: not known, as no own times of steps (own) can be compared now\n"));
  CHECK_THAT(text, !Contains("samples/s; "));
  CHECK(nlohmann::json::parse(status_to_json(status, kNow))["progress"]["no_slowest"] == "not_compared");
}

TEST_CASE("a status whose ranks are even accuses none, and has the slowest for programs") {
  JobStatus status = busy_job();
  status.progress[0].ranks[0].own = 0.3023;
  status.progress[0].ranks[1].own = 0.303;
  CHECK_THAT(format_status(status, kNow),
             Contains("Slowest rank: none stands out; at most 0.303 s of its own a step; the median is 0.3023 s\n"));
  const auto json = nlohmann::json::parse(status_to_json(status, kNow));
  CHECK((json["progress"]["slowest"]["rank"] == 1 && json["progress"]["slowest"]["even"] == true));
}

TEST_CASE("the status as JSON has every rank and event") {
  const auto json = nlohmann::json::parse(status_to_json(busy_job(), kNow));
  CHECK((json["restarts"] == 4 && json["succeeded"] == false));
  CHECK(json["progress"]["behind"] == nlohmann::json{{"rank", 0}, {"step", 118}});
  CHECK(json["progress"]["slowest"]["rank"] == 1);
  CHECK((json["ranks"][1]["step"] == 120 && json["ranks"][1]["section"] == "evaluation"));
  CHECK(json["ranks"][1]["section_age_s"] == Approx(6));
  CHECK((json["events"][0]["kind"] == "restart" && json["events"][0]["number"] == 7));
  CHECK((json["nodes"][0]["told_age_s"] == Approx(2) && json["nodes"][1]["told_age_s"].is_null()));
}

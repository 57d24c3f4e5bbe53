#include "launcher/job_status.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace mdl;
using namespace mdl::launcher;
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

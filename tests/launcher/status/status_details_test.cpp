#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"
#include "tests/launcher/status/made_job.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace mdl::test;
using Catch::Contains;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

json json_of(const JobStatus& status) {
  return json::parse(status_to_json(status, kStatusTime));
}
std::string text_of(const JobStatus& status) {
  return format_status(status, kStatusTime);
}

}  // namespace

TEST_CASE("the status as JSON has all that a rank has said, and null for what it has not") {
  JobStatus status = talkative_job();
  const json all = json_of(status);
  CHECK(all["ranks"][1] == json::parse(R"({"rank":1,"node":0,"host":"node0","old":false,"age_s":3.0,"step":118,
    "total":500,"step_age_s":5.0,"loss":2.5,"samples":99,"samples_per_s":20.5,"steps_per_s":1.5,"own_s":0.75,
    "waiting_s":0.25,"section":"evaluation","section_seconds":60.0,"section_age_s":6.0,"gpu":"84 °C","dropped":5,
    "wrong":6,"pid":null,"suspect":false,"eval_loss":1.5,"eval_step":100,"learning_rate":0.125,"grad_norm":3.5})"));
  const json& silent = all["ranks"][0];
  for (const char* key : {"total", "loss", "samples", "samples_per_s", "steps_per_s", "section", "section_seconds",
                          "section_age_s", "gpu", "eval_loss", "eval_step", "grad_norm"}) {
    CAPTURE(key);
    CHECK(silent.at(key).is_null());
  }
  CHECK(all["progress"] == json::parse(R"({"ranks":2,"behind":{"rank":0,"step":117},"ahead":{"rank":1,"step":118},
    "total":500,"samples_per_s":20.5,"steps_per_s":1.5,"loss":2.5,"step_age_s":5.0,"no_slowest":null,
    "slowest":{"rank":1,"host":"node0","pid":null,"own_s":0.75,"median_own_s":0.5,"even":false}})"));
  CHECK(all["nodes"][0] == json::parse(R"({"rank":0,"addr":"10.0.0.1","pid":11,"local_id":3,"heartbeat_age_s":1.0,
    "workers":2,"role":"trainer","told_age_s":2.0})"));
  for (const auto& [loss, word] : {std::pair(NAN, "nan"), {INFINITY, "inf"}, {-INFINITY, "-inf"}}) {
    status.progress[0].ranks[1].loss = loss;
    CHECK(json_of(status)["ranks"][1]["loss"] == word);
  }
  status.progress[0].ranks[0] = status.progress[0].ranks[1] = {};
  CHECK(json_of(status)["progress"] == json::parse(R"({"ranks":0,"behind":null,"ahead":null,"total":null,
    "samples_per_s":null,"steps_per_s":null,"loss":null,"step_age_s":null,"slowest":null,"no_slowest":"two_steps"})"));
}

TEST_CASE("the status as JSON has where workers meet, the last call, events and the reason of the end") {
  JobStatus status = talkative_job();
  json all = json_of(status);
  CHECK((all["master_addr"].is_null() && all["last_call_ends_in_s"].is_null() && all["root_cause"].is_null()));
  status.rendezvous.master = Endpoint("node0", 4321);
  status.rendezvous.state->deadline = kStatusTime + 25s;
  status.root_cause.emplace();
  status.root_cause->rank = 3;
  status.events = {{7, progress::NodeTime(1'700'000'000'500ms), "node0", "signal", "SIGTERM"}};
  all = json_of(status);
  CHECK((all["master_addr"] == "node0" && all["master_port"] == 4321 && all["last_call_ends_in_s"] == 25.0));
  CHECK(all["root_cause"]["rank"] == 3);
  CHECK(all["events"][0] == json::parse(R"({"number":7,"time_s":1700000000.5,"host":"node0","kind":"signal",
    "text":"SIGTERM"})"));
  status.rendezvous.state->deadline = kStatusTime - 1s;
  status.rendezvous.state->complete = false;
  all = json_of(status);
  CHECK((all["last_call_ends_in_s"] == 0.0 && all["nodes"][0]["rank"].is_null() && all["nodes"][0]["role"].is_null()));
  // A node of a static job that has told nothing has no process either.
  status.rendezvous.state->participants = {{{"", 0, 0}, 0}};
  all = json_of(status);
  CHECK((all["nodes"][0]["addr"].is_null() && all["nodes"][0]["pid"].is_null()));
}

TEST_CASE("the status counts one node and one rank as one, and tells ranks that are at the same step as one") {
  JobStatus status = talkative_job();
  CHECK_THAT(text_of(status), Contains("round 0 complete; 1 node, 2 ranks\n") && !Contains("meet"));
  CHECK_THAT(text_of(status), Contains("Progress: step 117 of 500 (rank 0) to 118 (rank 1); 20.5 samples/s; 1.5 "
                                       "steps/s; loss 2.5; last step 5.0 s ago\n"));
  CHECK_THAT(text_of(status), Contains("the median is 0.5 s; its GPU: 84 °C\n"));
  CHECK_THAT(text_of(status), Contains(" 117-118 ") && Contains(" 0.5-0.75 ") && Contains(" 0.25-0.5 "));
  CHECK_THAT(text_of(status), Contains("  heartbeat  step     samples/s  own s/step  waiting "));
  std::swap(status.progress[0].ranks[0], status.progress[0].ranks[1]);
  CHECK_THAT(text_of(status), Contains(" 117-118 ") && Contains(" 0.5-0.75 ") && Contains(" 0.25-0.5 "));
  status.progress[0].ranks[1].step = 118;
  status.progress[0].ranks[0].gpu.clear();
  CHECK_THAT(text_of(status), Contains("Progress: step 118 of 500; ") && Contains(" 118 ") && !Contains("GPU"));
  status.progress[0].ranks[0] = status.progress[0].ranks[1];
  status.workers[0].local_world_size = 1;
  CHECK_THAT(text_of(status), Contains("; 1 node, 1 rank\n") && Contains("Progress: step 118"));
  for (auto& rank : status.progress[0].ranks) { rank = {}; }
  CHECK_THAT(text_of(status), Contains("Progress: no steps\n") && Catch::Matches("[^]* - +- +-\n[^]*"));
  status.workers.clear();
  CHECK_THAT(text_of(status), Contains("; 1 node\n") && Contains("     0  ?  "));
  status.rendezvous.state->closed = status.succeeded = true;
  CHECK_THAT(text_of(status), Contains("; closed: the job has ended; all nodes have ended well; "));
  status.rendezvous.state->complete = false;
  CHECK_THAT(text_of(status), !Contains("Progress") && Contains("     -  -  "));
}

TEST_CASE("of several sections the one is shown that lasts longest, and messages that did not count are told") {
  JobStatus status = talkative_job();
  CHECK_THAT(text_of(status), Contains("  evaluation since 4.0 s (60.0 s at most)  5 messages beyond 100 a second  6 "
                                       "wrong messages\n"));
  auto& ranks = status.progress[0].ranks;
  ranks[1].dropped = ranks[1].wrong = 0;
  ranks[0].section = "checkpoint";
  ranks[0].section_age = 3;
  CHECK_THAT(text_of(status), Contains("  evaluation since 4.0 s (60.0 s at most)\n"));
  ranks[0].section_age = 5;
  CHECK_THAT(text_of(status), Contains("  checkpoint since 5.0 s\n"));
  ranks[0].section.clear();
  ranks[0].section_age = 9;
  CHECK_THAT(text_of(status), Contains("  evaluation since 4.0 s"));
}

TEST_CASE("the last eight events are shown") {
  JobStatus status = talkative_job();
  for (int i = 1; i <= 8; ++i) {
    status.events.push_back({i, progress::NodeTime(), "h", "k", "event" + std::to_string(i)});
  }
  CHECK_THAT(text_of(status), Contains("h  event1\n") && Contains("h  event8\n"));
  status.events.push_back({9, progress::NodeTime(), "h", "k", "event9"});
  CHECK_THAT(text_of(status), !Contains("event1\n") && Contains("h  event2\n") && Contains("h  event9\n"));
}

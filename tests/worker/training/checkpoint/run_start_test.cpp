#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/training/checkpoint/run_start.hpp"

using namespace mdl;
using namespace mdl::worker;
using namespace mdl::worker::training::checkpoint;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const AdapterIdentity kAdapter{.rank = 8, .alpha = 16, .targets = "decoder"};

RunIdentity run_with(const std::string& rate, const std::string& epochs = "1") {
  RunIdentity identity{
      .fixed = {{"training data", "abc"}}, .changeable = {{"--num-epochs", epochs}}, .run = "now", .begun = 10};
  for (const auto& setting : kAdapter.settings()) { identity.fixed.push_back(setting); }
  identity.fixed.emplace_back(kLearningRateSetting, rate);
  return identity;
}

/// OUTPUT/checkpoint-STEP, of a run beside one with the learning rate 0.1.
FoundCheckpoint found(std::int64_t step, RunIdentity then, const std::string& run = "old", std::int64_t begun = 1) {
  then.run = run;
  then.begun = begun;
  return {.folder = fs::path("out") / ("checkpoint-" + std::to_string(step)),
          .step = step,
          .fault = {},
          .identity = then,
          .compared = compare_runs(then, run_with("0.1"))};
}

FoundCheckpoint same(std::int64_t step, const std::string& run = "old", std::int64_t begun = 1) {
  return found(step, run_with("0.1"), run, begun);
}

FoundCheckpoint other(std::int64_t step) {
  return found(step, run_with("0.2"), "other", 2);
}

std::vector<fs::path> folders(std::initializer_list<int> steps) {
  std::vector<fs::path> list;
  for (const int step : steps) { list.push_back(fs::path("out") / ("checkpoint-" + std::to_string(step))); }
  return list;
}

/// What is said where the run may not begin.
std::string refusal(const StartConditions& conditions) {
  try {
    plan_start(conditions);
  } catch (const UsageError& error) { return error.what(); }
  FAIL("the run may begin");
  return {};
}

}  // namespace

TEST_CASE("two runs are the same when data, model, adapters, seed, optimizer and schedule are") {
  CHECK(compare_runs(run_with("0.1"), run_with("0.1")).same());
  const RunComparison rates = compare_runs(run_with("0.1"), run_with("0.2"));
  CHECK(rates.differences == std::vector<std::string>{"--lr is 0.1 there and 0.2 here"});

  AdapterIdentity changed = kAdapter;
  changed.rank_pattern["decoder"] = 4;
  changed.rank_stabilized = true;
  changed.whole = {"lm_head"};
  const RunComparison adapters =
      compare_runs({.fixed = kAdapter.settings(), .changeable = {}}, {.fixed = changed.settings(), .changeable = {}});
  CHECK(adapters.differences.size() == 3);
}

TEST_CASE("what may change when a run goes on is told and is no difference") {
  const RunComparison comparison = compare_runs(run_with("0.1", "1"), run_with("0.1", "2.5"));
  CHECK(comparison.same());
  CHECK(comparison.changes == std::vector<std::string>{"--num-epochs 2.5 (was 1)"});
}

TEST_CASE("what a checkpoint does not tell is unknown, not different") {
  const RunComparison comparison = compare_runs({.fixed = {{"--lora-rank", "8"}}, .changeable = {}}, run_with("0.1"));
  CHECK(comparison.differences.empty());
  CHECK_FALSE(comparison.same());
  CHECK(comparison.unknown.size() == run_with("0.1").fixed.size() - 1);
}

TEST_CASE("a run's identity is read as it was written, and another text is an error") {
  const RunIdentity identity = run_with(setting_text(1e-4));
  const RunIdentity read = parse_run_identity(identity.to_json());
  CHECK(read.fixed == identity.fixed);
  CHECK(read.changeable == identity.changeable);
  CHECK(read.run == "now");
  CHECK(read.begun == 10);
  CHECK_THROWS_WITH(parse_run_identity("{}"), Contains(kRunIdentityFile));
  CHECK_THROWS_WITH(parse_run_identity(R"({"run": 1, "begun": 0, "identity": {}, "options": {}})"),
                    Contains("makes no sense"));
}

TEST_CASE("numbers are told as they were given") {
  CHECK(setting_text(1e-4) == "0.0001");
  CHECK(setting_text(16) == "16");
  CHECK(setting_text(0.1) == "0.1");
  CHECK(setting_text(1e30) == "1e+30");
  CHECK(setting_text(0.00012345678901) == "0.00012345678901");
}

TEST_CASE("another run's checkpoints are an error that lists what differs, unless they may be removed") {
  const StartConditions conditions{.output = "out", .there = {same(5), other(10), other(20)}};
  CHECK_THAT(refusal(conditions), Contains("checkpoint-20 (and 1 more)") &&
                                      Contains("--lr is 0.2 there and 0.1 here") &&
                                      Contains("--overwrite-output true"));
  StartConditions overwriting = conditions;
  overwriting.overwrite = true;
  const RunStart start = plan_start(overwriting);
  CHECK(start.remove == folders({10, 20}));
  CHECK(start.superseded == folders({5}));
  CHECK_FALSE(start.checkpoint);
}

TEST_CASE("the same run begins anew, and its checkpoints go once there is a new one") {
  const RunStart start = plan_start({.output = "out", .there = {same(5), same(10)}});
  CHECK_FALSE(start.checkpoint);
  REQUIRE(start.warnings.size() == 1);
  CHECK_THAT(start.warnings[0], Contains("checkpoint-10 of the same run") && Contains("--resume-from-checkpoint true"));
  CHECK(start.remove.empty());
  CHECK(start.superseded == folders({5, 10}));
}

TEST_CASE("checkpoints that do not tell enough are not removed unasked") {
  const FoundCheckpoint older = found(7, {.fixed = {{"--lora-rank", "8"}}, .changeable = {}}, "", 0);
  CHECK_THAT(refusal({.output = "out", .there = {older}}),
             Contains("may be another run's") && Contains("training data"));
  const RunStart resumed = plan_start({.resume_from = training::ResumeNewest{}, .output = "out", .there = {older}});
  REQUIRE(resumed.checkpoint);
  CHECK(resumed.checkpoint->step == 7);
  REQUIRE(resumed.warnings.size() == 1);
  CHECK_THAT(resumed.warnings[0], Contains("could not be compared") && Contains("training data"));
}

TEST_CASE("true takes the newest whole checkpoint of this run alone") {
  FoundCheckpoint cut = same(9);
  cut.fault = "optimizer.pt is cut off";
  const RunStart start =
      plan_start({.resume_from = training::ResumeNewest{}, .output = "out", .there = {same(3), same(6), cut}});
  REQUIRE(start.checkpoint);
  CHECK(start.checkpoint->step == 6);
  REQUIRE(start.warnings.size() == 1);
  CHECK_THAT(start.warnings[0], Contains("checkpoint-9") && Contains("cut off"));
  // Another run's would be written over, or removed for --save-total-limit.
  StartConditions mixed{.resume_from = training::ResumeNewest{}, .output = "out", .there = {same(6), other(30)}};
  CHECK_THAT(refusal(mixed), Contains("checkpoint-30") && Contains("--lr is 0.2") && Contains("--overwrite"));
  mixed.overwrite = true;
  CHECK(plan_start(mixed).checkpoint->step == 6);
  CHECK(plan_start(mixed).remove == folders({30}));
  CHECK_THAT(refusal({.resume_from = training::ResumeNewest{}, .output = "out", .there = {other(30)}}),
             Contains("of this run") && Contains("--lr is 0.2"));
  CHECK_THAT(refusal({.resume_from = training::ResumeNewest{}, .output = "out", .there = {cut}}),
             Contains("no whole checkpoint in out"));
}

TEST_CASE("true takes the later of two runs of one identity, whose folder a kill left both in") {
  const RunStart start = plan_start(
      {.resume_from = training::ResumeNewest{}, .output = "out", .there = {same(2, "new", 5), same(20, "old", 1)}});
  REQUIRE(start.checkpoint);
  CHECK(start.checkpoint->step == 2);
  CHECK(start.superseded == folders({20}));
}

TEST_CASE("a folder that is named is taken whatever differs, and the differences are told") {
  const RunStart start = plan_start({.resume_from = training::ResumePath{"out/checkpoint-10"},
                                     .output = "out",
                                     .there = {other(10)},
                                     .named = other(10),
                                     .named_lies_there = true});
  REQUIRE(start.checkpoint);
  CHECK(start.remove.empty());
  REQUIRE(start.warnings.size() == 1);
  CHECK_THAT(start.warnings[0], Contains("--lr is 0.2 there and 0.1 here"));
  // From elsewhere, OUTPUT is as for a run that begins.
  CHECK_THAT(
      refusal({.resume_from = training::ResumePath{"x"}, .output = "out", .there = {other(10)}, .named = same(4)}),
      Contains("checkpoint-10"));
}

TEST_CASE("options that changed are told in a line") {
  const RunStart start =
      plan_start({.resume_from = training::ResumeNewest{}, .output = "out", .there = {found(5, run_with("0.1", "3"))}});
  CHECK(start.warnings.empty());
  CHECK(start.news == std::vector<std::string>{"changed since out/checkpoint-5: --num-epochs 1 (was 3)"});
}

TEST_CASE("a restart by the launcher is never refused") {
  FoundCheckpoint cut = other(30);
  cut.fault = "optimizer.pt is cut off";
  const RunStart start =
      plan_start({.output = "out", .there = {same(2), other(10), other(20), cut}, .of_job = other(20)});
  CHECK(start.restarted);
  REQUIRE(start.checkpoint);
  CHECK(start.checkpoint->step == 20);
  CHECK(start.remove.empty());
  REQUIRE(start.warnings.size() == 1);
  CHECK_THAT(start.warnings[0], Contains("checkpoint-30") && Contains("cut off"));
}

TEST_CASE("a run that goes on from an earlier checkpoint of its own is another one from there") {
  StartConditions conditions{.resume_from = training::ResumePath{"out/checkpoint-5"},
                             .output = "out",
                             .there = {same(5), same(10)},
                             .named = same(5),
                             .named_lies_there = true};
  CHECK(plan_start(conditions).branches);
  conditions.named = same(10);
  CHECK_FALSE(plan_start(conditions).branches);
}

TEST_CASE("another run's checkpoints beside the one that is named may be removed, too") {
  StartConditions conditions{.resume_from = training::ResumePath{"out/checkpoint-5"},
                             .overwrite = true,
                             .output = "out",
                             .there = {other(5), other(10), same(20)},
                             .named = other(5),
                             .named_lies_there = true};
  CHECK(plan_start(conditions).remove == folders({10}));
  conditions.overwrite = false;
  CHECK(plan_start(conditions).remove.empty());
}

TEST_CASE("older runs give way only to one of their own identity") {
  const RunIdentity rank4 = run_with("0.1");
  RunIdentity rank8 = rank4;
  for (auto& [name, value] : rank8.fixed) {
    if (name == "--lora-rank") { value = "4"; }
  }
  // Beside each of them a run that goes on would have its adapters: no difference to either.
  FoundCheckpoint older = found(20, rank4, "old", 1), newer = found(5, rank8, "new", 2);
  newer.compared = {};
  const RunStart start =
      plan_start({.resume_from = training::ResumeNewest{}, .output = "out", .there = {older, newer}});
  REQUIRE(start.checkpoint);
  CHECK(start.checkpoint->step == 5);
  CHECK(start.superseded.empty());
}

TEST_CASE("advice to go on from a checkpoint is given where that can be") {
  FoundCheckpoint cut = other(10);
  cut.fault = "it has no optimizer.pt";
  const std::string refused = refusal({.output = "out", .there = {cut}});
  CHECK_THAT(refused, Contains("it has no optimizer.pt") && !Contains("--resume-from-checkpoint"));
  CHECK_THAT(refusal({.output = "out", .there = {other(10)}}),
             Contains("out/checkpoint-10 to go on") && !Contains("options of the adapters"));
  RunIdentity rank = run_with("0.1");
  for (auto& [name, value] : rank.fixed) {
    if (name == "--lora-rank") { value = "4"; }
  }
  CHECK_THAT(refusal({.output = "out", .there = {found(10, rank)}}), Contains("without options of the adapters"));
}

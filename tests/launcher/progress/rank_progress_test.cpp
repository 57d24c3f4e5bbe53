#include "launcher/progress/rank_progress.hpp"

#include <catch2/catch.hpp>

#include "common/str_cat.hpp"

using namespace mdl;
using namespace mdl::launcher::progress;
using namespace std::chrono_literals;

namespace {
const RankProgress::Time kBegin{1h};
}

TEST_CASE("what a worker has said last stays until it says something else") {
  RankProgress progress;
  CHECK_FALSE(progress.summary(kBegin).known());
  progress.take(R"({"step": 3, "total": 10, "loss": 2.5})", kBegin);
  progress.take(R"({"loss": 2.25})", kBegin + 2s);
  const RankSummary now = progress.summary(kBegin + 5s);
  CHECK((now.known() && now.step == 3 && now.total == 10 && now.loss == 2.25));
  CHECK((now.age == 3.0 && now.step_age == 5.0));
  CHECK_FALSE(now.steps_per_s);
}

TEST_CASE("an evaluation belongs to the step that was made before it") {
  RankProgress progress;
  progress.take(R"({"step": 10, "learning_rate": 1e-4, "grad_norm": 0.5})", kBegin);
  progress.take(R"({"eval_loss": 1.5})", kBegin + 1s);
  progress.take(R"({"step": 12, "learning_rate": 9e-5})", kBegin + 2s);
  const RankSummary now = progress.summary(kBegin + 3s);
  CHECK((now.eval_loss == 1.5 && now.eval_step == 10 && now.step == 12));
  CHECK((now.learning_rate == 9e-5 && now.grad_norm == 0.5));
}

TEST_CASE("rates are over the last half minute, and fall when no step comes any longer") {
  RankProgress progress;
  // Ten slow steps long ago, then two a second with 8 samples each.
  for (int step = 1; step <= 10; ++step) { progress.take(str_cat(R"({"step":)", step, "}"), kBegin + step * 20s); }
  const auto later = kBegin + 300s;
  for (int i = 0; i <= 120; ++i) {
    const int step = 10 + i;
    progress.take(str_cat(R"({"step":)", step, R"(,"samples":)", 8 * step, R"(,"own":)", 0.375 * step, R"(,"waiting":)",
                          0.125 * step, "}"),
                  later + i * 500ms);
  }
  const auto end = later + 60s;
  RankSummary now = progress.summary(end);
  CHECK(now.steps_per_s == Approx(2));
  CHECK(now.samples_per_s == Approx(16));
  CHECK(now.own == Approx(0.375));
  CHECK(now.waiting == Approx(0.125));
  now = progress.summary(end + 10s);
  CHECK((now.steps_per_s == Approx(2 * 20.0 / 30) && now.samples_per_s == Approx(16 * 20.0 / 30)));
  now = progress.summary(end + 30s);
  CHECK((now.steps_per_s == 0.0 && now.samples_per_s == 0.0));
  CHECK(now.own == Approx(0.375));
}

TEST_CASE("rates end half a minute after the last step, also soon after the first one and after a long pause") {
  RankProgress young;
  for (int i = 0; i <= 50; ++i) { young.take(str_cat(R"({"step":)", i, R"(,"samples":)", i, "}"), kBegin + i * 100ms); }
  CHECK(young.summary(kBegin + 5s).steps_per_s == Approx(10));
  CHECK(young.summary(kBegin + 10s).steps_per_s == Approx(5));
  CHECK(young.summary(kBegin + 34s).steps_per_s < 0.4);
  CHECK(young.summary(kBegin + 35s).samples_per_s == 0.0);
  const auto end = kBegin + 305s;  // an evaluation lasted for five minutes
  for (int i = 0; i <= 10; ++i) { young.take(str_cat(R"({"step":)", 51 + i, "}"), end + i * 1s); }
  CHECK(*young.summary(end + 20s).steps_per_s > 0);
  CHECK(young.summary(end + 40s).steps_per_s == 0.0);
}

TEST_CASE("steps that take longer than the window still have a rate") {
  RankProgress progress;
  for (int step = 1; step <= 5; ++step) {
    progress.take(str_cat(R"({"step":)", step, R"(,"samples":)", step, "}"), kBegin + step * 200s);
  }
  CHECK(progress.summary(kBegin + 1001s).samples_per_s == Approx(1.0 / 200));
  CHECK(progress.summary(kBegin + 1199s).samples_per_s == Approx(1.0 / 200));
  CHECK(progress.summary(kBegin + 1300s).samples_per_s == Approx(0.5 / 400));
  CHECK(progress.summary(kBegin + 1400s).samples_per_s == 0.0);
}

TEST_CASE("steps at the same time are one point of the rates") {
  RankProgress progress;
  progress.take(R"({"step": 1, "samples": 8})", kBegin);
  progress.take(R"({"step": 2, "samples": 16})", kBegin);
  for (const auto later : {0s, 2s, 20s, 31s}) {
    const RankSummary now = progress.summary(kBegin + later);
    CHECK_FALSE((now.steps_per_s || now.samples_per_s));
  }
  progress.take(R"({"step": 4, "samples": 32})", kBegin + 4s);
  progress.take(R"({"step": 6, "samples": 48})", kBegin + 4s);
  const RankSummary now = progress.summary(kBegin + 6s);
  CHECK((now.steps_per_s == 1.0 && now.samples_per_s == 8.0));
}

TEST_CASE("a step that is set back begins the rates anew, and so do counters that are") {
  RankProgress progress;
  progress.take(R"({"step": 100, "samples": 800})", kBegin);
  progress.take(R"({"step": 110, "samples": 880})", kBegin + 5s);
  progress.take(R"({"step": 3, "samples": 24})", kBegin + 10s);
  CHECK_FALSE(progress.summary(kBegin + 10s).steps_per_s);
  progress.take(R"({"step": 4, "samples": 8})", kBegin + 12s);
  const RankSummary now = progress.summary(kBegin + 12s);
  CHECK(now.steps_per_s == Approx(0.5));
  CHECK_FALSE(now.samples_per_s);
}

TEST_CASE("a section lasts until another one, null, or a step without one") {
  RankProgress progress;
  const auto at = [&](const char* message, std::chrono::seconds when) {
    progress.take(message, kBegin + when);
    return progress.summary(kBegin + when);
  };
  at(R"({"step": 1})", 0s);
  at(R"({"section": "evaluation", "section_seconds": 60})", 1s);
  RankSummary now = at(R"({"loss": 1, "step": 1})", 5s);
  CHECK((now.section == "evaluation" && now.section_seconds == 60.0 && now.section_age == 4.0));
  now = at(R"({"section": "checkpoint"})", 6s);
  CHECK((now.section == "checkpoint" && !now.section_seconds && now.section_age == 0.0));
  now = at(R"({"section": null})", 7s);
  CHECK((now.section.empty() && !now.section_age && now.step_age == 7.0));
  at(R"({"section": "checkpoint", "section_seconds": 9})", 8s);
  now = at(R"({"step": 2})", 9s);
  CHECK((now.section.empty() && !now.section_seconds && !now.section_age));
}

TEST_CASE("the first step is the first rise of it, and how long it took to come is no time of a step") {
  for (const int begin : {0, 5000}) {
    RankProgress progress;
    const auto at = [&](int step, std::chrono::milliseconds when) {
      progress.take(str_cat(R"({"step":)", step, "}"), kBegin + when);
      return progress.summary(kBegin + when);
    };
    CHECK_FALSE(at(begin, 0ms).made_step);
    CHECK_FALSE(at(begin, 10s).made_step);
    const RankSummary first = at(begin + 1, 85s);
    CHECK((first.made_step && !first.longest_step));
    CHECK(at(begin + 2, 85'500ms).longest_step == 0.5);
  }
}

TEST_CASE("a first message that tells of work is of a step that was made") {
  for (const char* work : {R"("samples": 8)", R"("own": 0.5)", R"("waiting": 0.25)"}) {
    CAPTURE(work);
    RankProgress progress;
    progress.take(str_cat(R"({"step": 1, )", work, "}"), kBegin);
    CHECK(progress.summary(kBegin).made_step);
    progress.take(R"({"step": 2})", kBegin + 500ms);
    CHECK(progress.summary(kBegin + 500ms).longest_step == 0.5);
  }
  RankProgress idle;
  idle.take(R"({"step": 1, "samples": 0, "own": 0, "waiting": 0})", kBegin);
  CHECK_FALSE(idle.summary(kBegin).made_step);
}

TEST_CASE("a section that was left before the first rise of the step says nothing of the time after it") {
  RankProgress progress;
  progress.take(R"({"step": 0, "section": "evaluation"})", kBegin);
  progress.take(R"({"section": null})", kBegin + 10s);
  CHECK(progress.summary(kBegin + 12s).section_left_age == 2.0);
  progress.take(R"({"step": 1})", kBegin + 20s);
  CHECK_FALSE(progress.summary(kBegin + 21s).section_left_age);
}

TEST_CASE("own time and waiting are those of the messages that have them, and steps alone may come between") {
  RankProgress progress;
  const auto say = [&](int second, const std::string& more) {
    progress.take(str_cat(R"({"step":)", second, more, "}"), kBegin + second * 1s);
    return progress.summary(kBegin + second * 1s);
  };
  RankSummary now = say(1, R"(,"own":10,"waiting":1)");
  for (int second = 2; second <= 100; ++second) { now = say(second, ""); }
  CHECK_FALSE((now.own || now.own_lately || now.waiting));
  now = say(101, R"(,"own":110,"waiting":11)");
  CHECK((now.own == 1.0 && now.own_lately == 1.0 && now.waiting == Approx(0.1) && now.own_step == 101));
  for (int second = 102; second <= 200; ++second) { now = say(second, R"(,"waiting":11)"); }
  CHECK((now.own == 1.0 && now.waiting == 0.0 && now.own_step == 101));
}

TEST_CASE("the longest step is the longest time between two, and sections are not in it") {
  RankProgress progress;
  const auto at = [&](const char* message, std::chrono::seconds when) {
    progress.take(message, kBegin + when);
    return progress.summary(kBegin + when);
  };
  at(R"({"step": 0})", -1s);
  CHECK_FALSE(at(R"({"step": 1})", 0s).longest_step);
  CHECK(at(R"({"step": 2})", 3s).longest_step == 3.0);
  CHECK(at(R"({"step": 3, "section": null})", 4s).longest_step == 3.0);
  at(R"({"section": "evaluation"})", 5s);
  RankSummary now = at(R"({"section": null})", 105s);
  CHECK((now.section_left_age == 0.0 && now.step_age == 101.0));
  now = at(R"({"step": 4})", 107s);
  CHECK((now.longest_step == 3.0 && !now.section_left_age));
  at(R"({"section": "checkpoint"})", 108s);
  CHECK(at(R"({"step": 5})", 208s).longest_step == 3.0);
  CHECK(at(R"({"step": 6})", 212s).longest_step == 4.0);
}

TEST_CASE("a worker that says that it is in no section leaves none with that") {
  RankProgress progress;
  progress.take(R"({"step": 1, "section": null})", kBegin);
  progress.take(R"({"section": null, "loss": 1})", kBegin + 1s);
  CHECK_FALSE(progress.summary(kBegin + 1s).section_left_age);
}

TEST_CASE("a hundred messages in any second are read, and the others counted") {
  RankProgress progress;
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {  // in half a second
    if (progress.take(str_cat(R"({"step":)", i, "}"), kBegin + i * 500us)) { ++taken; }
  }
  CHECK(taken == 100);
  CHECK(progress.summary(kBegin + 1s).dropped == 900);
  CHECK(progress.summary(kBegin + 1s).step == 99);
  CHECK(progress.take(R"({"step": 2000})", kBegin + 1s));
  CHECK(progress.summary(kBegin + 1s).step == 2000);
}

TEST_CASE("what is no message is counted, and changes nothing") {
  RankProgress progress;
  progress.take(R"({"step": 1})", kBegin);
  progress.take("step 2", kBegin + 1s);
  const RankSummary now = progress.summary(kBegin + 1s);
  CHECK((now.wrong == 1 && now.step == 1 && now.age == 1.0));
}

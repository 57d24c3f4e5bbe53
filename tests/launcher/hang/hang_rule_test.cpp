#include "launcher/hang/hang_rule.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::hang;
using namespace mdl::launcher;
using namespace std::chrono_literals;
using What = HangFinding::What;
using Seconds = HangLimits::Seconds;

namespace {

progress::RankSummary at_step(std::int64_t step, double age, double longest = 0.5) {
  progress::RankSummary rank;
  rank.step = step;
  rank.total = 1000;
  rank.age = rank.step_age = age;
  rank.made_step = true;
  if (longest > 0) { rank.longest_step = longest; }
  return rank;
}

progress::RankSummary in_section(double age, std::optional<double> seconds) {
  progress::RankSummary rank = at_step(7, age + 1);
  rank.section = "evaluation";
  rank.section_age = age;
  rank.section_seconds = seconds;
  return rank;
}

/// A view of two nodes, of one rank each.
watch::JobView view_with(progress::RankSummary first, progress::RankSummary second, Seconds since_start = 1000s) {
  watch::JobView view;
  view.since_start = since_start;
  view.nodes = 2;
  view.told.resize(2);
  view.told[1].group_rank = view.told[1].first_rank = 1;
  view.told[0].ranks = {std::move(first)};
  view.told[1].ranks = {std::move(second)};
  return view;
}

What judge(const watch::JobView& view, HangLimits limits = {}) {
  HangRule rule(limits);
  return rule.look(view).what;
}

HangLimits with_timeout(Seconds timeout) {
  HangLimits limits;
  limits.timeout = timeout;
  return limits;
}

}  // namespace

TEST_CASE("a job hangs when no rank of any node has made a step for a minute") {
  CHECK(judge(view_with(at_step(7, 61), at_step(7, 70))) == What::begins);
  CHECK(judge(view_with(at_step(7, 59), at_step(7, 700))) == What::nothing);
  CHECK(judge(view_with(at_step(7, 700), at_step(7, 59))) == What::nothing);
  CHECK(judge(view_with(at_step(7, 60), at_step(7, 60))) == What::nothing);  // longer than that
}

TEST_CASE("steps that take long make the limit ten times the longest of them") {
  CHECK(judge(view_with(at_step(7, 299, 30), at_step(7, 299, 1))) == What::nothing);
  CHECK(judge(view_with(at_step(7, 301, 30), at_step(7, 301, 1))) == What::begins);
  HangRule rule{HangLimits()};
  const HangFinding finding = rule.look(view_with(at_step(7, 1, 30), at_step(7, 1, 1)));
  CHECK((finding.limit == 300s && finding.longest == 30s));
  // It was seen, even if the rank that had it says nothing of it any more.
  CHECK(rule.look(view_with(at_step(7, 1, 1), at_step(7, 1, 1))).limit == 300s);
  rule.begin();
  CHECK(rule.look(view_with(at_step(7, 1, 1), at_step(7, 1, 1))).limit == 60s);
}

TEST_CASE("before the second step the limit is ten times what the first one took to come") {
  CHECK(judge(view_with(at_step(1, 900, 0), at_step(1, 900, 0), 1000s)) == What::nothing);
  HangRule rule{HangLimits()};
  CHECK(rule.look(view_with(at_step(1, 5, 0), at_step(1, 4, 0), 105s)).limit == 1000s);
  CHECK(rule.look(view_with(at_step(1, 1001, 0), at_step(1, 1001, 0), 1101s)).what == What::begins);
}

TEST_CASE("before the first step nothing is judged but by the user's limit, from the workers' start") {
  progress::RankSummary loading;
  loading.age = 500;
  CHECK(judge(view_with(loading, loading, 5000s)) == What::nothing);
  HangRule rule(with_timeout(600s));
  CHECK(rule.look(view_with(loading, loading, 599s)).what == What::nothing);
  const HangFinding finding = rule.look(view_with(loading, loading, 601s));
  CHECK((finding.what == What::begins && finding.must_end));
  loading.section = "loading";
  loading.section_age = 601;
  loading.section_seconds = 300;
  CHECK(judge(view_with(loading, loading, 601s), with_timeout(600s)) == What::nothing);
  CHECK(judge(view_with({}, {}, 5000s), with_timeout(600s)) == What::nothing);  // nobody says anything
}

TEST_CASE("a worker that tells with which step it begins has made none yet") {
  HangRule rule{HangLimits()};
  for (const std::int64_t begin : {0, 500}) {
    progress::RankSummary compiles = at_step(begin, 84, 0);
    compiles.made_step = false;
    CHECK(rule.look(view_with(compiles, compiles, 84.1s)).what == What::nothing);
  }
  CHECK(rule.look(view_with(at_step(1, 1, 0), at_step(1, 1, 0), 86s)).limit == 850s);
}

TEST_CASE("a rank that is in a section within the time that it gave makes no hang, and longer does") {
  CHECK(judge(view_with(in_section(500, 600), at_step(7, 501))) == What::nothing);
  CHECK(judge(view_with(in_section(659, 600), at_step(7, 660))) == What::nothing);
  CHECK(judge(view_with(in_section(661, 600), at_step(7, 662))) == What::begins);
  CHECK(judge(view_with(in_section(1859, {}), at_step(7, 1860))) == What::nothing);
  CHECK(judge(view_with(in_section(1861, {}), at_step(7, 1862))) == What::begins);
  progress::RankSummary left = at_step(7, 900);
  left.section_left_age = 59;
  CHECK(judge(view_with(left, at_step(7, 900))) == What::nothing);
  left.section_left_age = 61;
  CHECK(judge(view_with(left, at_step(7, 900))) == What::begins);
}

TEST_CASE("what the idle time of a job counts from is known: a step, the end of a section, or that of its time") {
  using From = IdleTime::From;
  const auto idle = [](const watch::JobView& view) { return HangRule{HangLimits()}.look(view).idle; };
  CHECK(idle(view_with(at_step(7, 61), at_step(7, 70))) == IdleTime{From::step, 61s, 61s, false});
  progress::RankSummary left = at_step(7, 900);
  left.section_left_age = 65;
  CHECK(idle(view_with(left, at_step(7, 800))) == IdleTime{From::section_end, 65s, 800s, false});
  CHECK(idle(view_with(in_section(661, 600), at_step(7, 700))) == IdleTime{From::section_time, 61s, 662s, false});
  progress::RankSummary gone = at_step(7, 10);
  gone.ended = true;
  CHECK(idle(view_with(gone, at_step(7, 70))) == IdleTime{From::step, 70s, 70s, true});
}

TEST_CASE("ranks that have made their last step, or have ended, do not hang") {
  CHECK(judge(view_with(at_step(1000, 100), at_step(1000, 100))) == What::nothing);
  CHECK(judge(view_with(at_step(1000, 100), at_step(999, 100))) == What::begins);
  CHECK(judge(view_with(at_step(999, 100), at_step(1000, 100))) == What::begins);
  progress::RankSummary gone = at_step(7, 100);
  gone.ended = true;
  CHECK(judge(view_with(gone, gone)) == What::nothing);
  CHECK(judge(view_with(gone, at_step(1000, 100))) == What::nothing);
  CHECK(judge(view_with(gone, at_step(7, 100))) == What::begins);
  gone.step_age = 1;  // what it has done last is no progress of those that run
  CHECK(judge(view_with(gone, at_step(7, 100))) == What::begins);
}

TEST_CASE("a total of 0, or one that was exceeded, is no last step") {
  for (const std::int64_t total : {0, 5}) {
    progress::RankSummary rank = at_step(7, 61);
    rank.total = total;
    CHECK(judge(view_with(rank, rank)) == What::begins);
  }
}

TEST_CASE("a hang is found once, and again after progress, when it lasts twice as long") {
  HangRule rule{HangLimits()};
  CHECK(rule.look(view_with(at_step(7, 1), at_step(7, 1))).what == What::nothing);
  CHECK(rule.look(view_with(at_step(7, 61), at_step(7, 61))).what == What::begins);
  CHECK(rule.look(view_with(at_step(7, 71), at_step(7, 71))).what == What::goes_on);
  HangFinding finding = rule.look(view_with(at_step(8, 1, 72), at_step(8, 2, 72)));
  CHECK((finding.what == What::over && finding.idle.time == 71s));
  // The pause was a hang: it does not count as a step, of which ten times would be the limit.
  finding = rule.look(view_with(at_step(8, 61, 72), at_step(8, 61, 72)));
  CHECK((finding.what == What::nothing && finding.limit == 142s));
  CHECK(rule.look(view_with(at_step(8, 143, 72), at_step(8, 143, 72))).what == What::begins);
  CHECK(rule.look(view_with(at_step(9, 1, 20), at_step(9, 1, 20))).what == What::over);
  CHECK(rule.look(view_with(at_step(9, 2, 20), at_step(9, 2, 20))).limit == 286s);
  CHECK(rule.look(view_with(at_step(9, 1, 40), at_step(9, 1, 40))).limit == 400s);  // steps go on to count
}

TEST_CASE("the user's limit takes the place of all others, and a hang is told before it ends the workers") {
  HangRule patient(with_timeout(600s));
  HangFinding finding = patient.look(view_with(at_step(7, 61), at_step(7, 61)));
  CHECK((finding.what == What::begins && !finding.must_end));
  finding = patient.look(view_with(at_step(7, 601), at_step(7, 601)));
  CHECK((finding.what == What::goes_on && finding.must_end));
  finding = patient.look(view_with(at_step(7, 600), at_step(7, 600)));
  CHECK((finding.what == What::goes_on && !finding.must_end));
  HangRule quick(with_timeout(20s));
  finding = quick.look(view_with(at_step(7, 21, 19), at_step(7, 21, 19)));
  CHECK((finding.what == What::begins && finding.must_end && finding.limit == 20s));
}

TEST_CASE("a launcher that stood still itself does not take its workers for hanging") {
  HangRule rule{HangLimits()};
  watch::JobView view = view_with(at_step(7, 1), at_step(7, 1));
  view.at = watch::JobView::Clock::time_point(1000s);
  const auto next = rule.look(view).next;
  view = view_with(at_step(7, 500), at_step(7, 500));  // its messages lie unread in the socket
  view.at = watch::JobView::Clock::time_point(1000s) + next + 440s;
  const HangFinding finding = rule.look(view);
  CHECK((finding.what == What::nothing && finding.next == 1s));
  view.at += 1s;
  CHECK(rule.look(view).what == What::begins);
  view.at += 440s;
  CHECK(rule.look(view).what == What::goes_on);  // nor for going on, where they hung before
}

TEST_CASE("the job is looked at again about when it would hang, and not more often than there is a reason for") {
  HangRule rule{HangLimits()};
  CHECK(rule.look(view_with(at_step(7, 1), at_step(7, 1))).next == 59s);
  CHECK(rule.look(view_with(at_step(7, 59.9), at_step(7, 59.9))).next == 1s);
  CHECK(rule.look(view_with(at_step(7, 65), at_step(7, 65))).next == 1s);
  CHECK(rule.look(view_with(in_section(1, 1e9), at_step(7, 65))).next == 60s);
  CHECK(HangRule(HangLimits()).look(view_with({}, {})).next == 60s);
  HangRule quick(with_timeout(5s));
  CHECK(quick.look(view_with(at_step(7, 6), at_step(7, 6))).next == 500ms);
}

#include "launcher/watch/node_views.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher;
using namespace mdl::launcher::watch;
using namespace std::chrono_literals;

namespace {

const JobView::Clock::time_point kSeen{1h};

progress::NodeSummary told_by(std::int64_t node, std::int64_t round, std::chrono::milliseconds written) {
  progress::NodeSummary summary;
  summary.round = round;
  summary.group_rank = node;
  summary.written = progress::NodeTime(written);
  summary.host = "h";
  summary.first_rank = 4 * node;
  summary.ranks.resize(1);
  summary.ranks[0].age = 1;
  summary.ranks[0].step_age = 2;
  summary.ranks[0].section_age = 3;
  return summary;
}

}  // namespace

TEST_CASE("the ages of what a node has told count on by the clock of who reads it") {
  NodeViews views;
  views.begin(3);
  views.take(told_by(1, 3, 1'000'000ms), kSeen);  // its clock may be anywhere
  views.take(told_by(1, 3, 1'000'000ms), kSeen + 10s);
  auto now = views.at(kSeen + 20s);
  REQUIRE(now.size() == 1);
  CHECK((now[0].group_rank == 1 && now[0].first_rank == 4 && now[0].told_age == 20));
  CHECK((now[0].ranks[0].age == 21.0 && now[0].ranks[0].step_age == 22.0 && now[0].ranks[0].section_age == 23.0));
  CHECK_FALSE(now[0].ranks[0].section_left_age);
  views.take(told_by(1, 3, 500ms), kSeen + 30s);  // set back, but told anew
  now = views.at(kSeen + 31s);
  CHECK((now[0].told_age == 1 && now[0].ranks[0].age == 2.0));
}

TEST_CASE("what was told some time before it is seen is as old as that, however the clocks differ") {
  NodeViews views;
  views.begin(3);
  views.take(told_by(1, 3, 500'000ms), kSeen);
  views.take(told_by(1, 3, 504'000ms), kSeen + 10s);  // written 4 s later, and 6 s old, as far as is known
  CHECK(views.at(kSeen + 11s)[0].told_age == 7);
  CHECK(views.at(kSeen + 11s)[0].ranks[0].step_age == 9.0);
  views.take(told_by(1, 3, 513'000ms), kSeen + 11s);  // so the first one was 2 s old
  CHECK(views.at(kSeen + 11s)[0].told_age == 0);
  views.take(told_by(1, 3, 514'000ms), kSeen + 14s);
  CHECK(views.at(kSeen + 14s)[0].told_age == 2);
  // It was not there a second before, whatever the node's clock says now.
  views.take(told_by(1, 3, 514'000ms), kSeen + 20s);
  views.take(told_by(1, 3, 514'001ms), kSeen + 21s);
  CHECK(views.at(kSeen + 21s)[0].told_age == 1);
}

TEST_CASE("a node's clock that was set back a little is believed after a few summaries") {
  NodeViews views;
  views.begin(3);
  for (int told = 1; told <= 6; ++told) {
    views.take(told_by(1, 3, told * 5'000ms), kSeen + told * 5s);
    CHECK(views.at(kSeen + told * 5s)[0].told_age == 0);
  }
  for (int told = 7; told <= 12; ++told) {
    views.take(told_by(1, 3, told * 5'000ms - 3s), kSeen + told * 5s);
    CHECK(views.at(kSeen + told * 5s)[0].told_age == (told < 10 ? 3 : 0));
  }
}

TEST_CASE("what nodes have told of another round is passed over") {
  NodeViews views;
  views.begin(3);
  views.take(told_by(0, 2, 1ms), kSeen);
  views.take(told_by(1, 3, 1ms), kSeen);
  CHECK(views.at(kSeen).size() == 1);
  views.begin(4);
  CHECK(views.at(kSeen).empty());
}

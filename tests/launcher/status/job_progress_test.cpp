#include "launcher/status/job_progress.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <set>

using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace mdl::launcher::progress;
using namespace std::chrono_literals;

namespace {

const NodeTime kToldAt{1'764'420'000'000ms};

NodeSummary two_ranks(std::int64_t group_rank, std::int64_t step, double own) {
  NodeSummary node;
  node.group_rank = group_rank;
  node.written = kToldAt;
  node.host = "node" + std::to_string(group_rank);
  node.first_rank = 2 * group_rank;
  node.ranks.resize(2);
  for (RankSummary& rank : node.ranks) {
    rank.step = step++;
    rank.total = 500;
    rank.loss = 0.5 * static_cast<double>(step);
    rank.samples_per_s = 4;
    rank.steps_per_s = 1 / own;
    rank.own = own;
    rank.age = rank.step_age = 0.5;
    own += 0.25;
  }
  return node;
}

}  // namespace

TEST_CASE("a job's progress is what all its ranks have said together") {
  const std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 0.5)}, {1, two_ranks(1, 110, 1)}};
  const JobProgress job = job_progress(nodes, kToldAt + 2s);
  CHECK(job.ranks == 4);
  CHECK((job.behind->rank == 2 && job.behind->step == 110));
  CHECK((job.ahead->rank == 1 && job.ahead->step == 119));
  CHECK((job.total == 500 && job.samples_per_s == 16.0 && job.steps_per_s == 0.8 && job.loss == 59.5));
  CHECK((job.slowest->rank == 3 && job.slowest->host == "node1" && job.slowest->own == 1.25));
  CHECK(job.slowest->median == 0.75);
  CHECK_FALSE(job.nodes.at(0).old);
}

TEST_CASE("a node that has told nothing for long is old, and not counted in what is going on now") {
  std::map<std::int64_t, NodeSummary> late = {{0, two_ranks(0, 118, 0.5)}, {1, two_ranks(1, 110, 1)}};
  late[1].written -= 16s;
  const JobProgress job = job_progress(late, kToldAt);
  CHECK((!job.nodes.at(0).old && job.nodes.at(1).old && job.nodes.at(1).age == 16.0));
  CHECK((job.behind->rank == 2 && job.samples_per_s == 8.0 && !job.slowest));
  late[2] = two_ranks(2, 118, 0.5);  // then most of those that send it can be compared
  CHECK(job_progress(late, kToldAt).slowest->rank == 1);
}

TEST_CASE("a rank that is slowest by a little does not stand out") {
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 0.5)}};
  CHECK_FALSE(job_progress(nodes, kToldAt).slowest->even);
  nodes[0].ranks[1].own = 0.55;
  JobProgress job = job_progress(nodes, kToldAt);
  CHECK((job.slowest->rank == 1 && job.slowest->own == 0.55 && job.slowest->even));
  nodes[0].ranks[1].own = 0.56;
  CHECK_FALSE(job_progress(nodes, kToldAt).slowest->even);
  nodes[0].ranks[0].own = 0.001;
  nodes[0].ranks[1].own = 0.005;  // of so short steps the kernel decides
  CHECK(job_progress(nodes, kToldAt).slowest->even);
}

TEST_CASE("why no rank is the slowest one is known: nothing is known of now, there was one step, or nobody sends own") {
  using Why = JobProgress::NoSlowest;
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 0.5)}};
  CHECK(job_progress(nodes, kToldAt).no_slowest == Why::there_is);
  CHECK(job_progress(nodes, kToldAt + 16s).no_slowest == Why::all_old);
  for (RankSummary& rank : nodes[0].ranks) { rank.own.reset(); }
  CHECK(job_progress(nodes, kToldAt).no_slowest == Why::no_own);
  for (RankSummary& rank : nodes[0].ranks) { rank.steps_per_s.reset(); }
  CHECK(job_progress(nodes, kToldAt).no_slowest == Why::two_steps);
}

TEST_CASE("the last step of a job is that of the rank that has made it last") {
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 0.5)}, {1, two_ranks(1, 118, 0.5)}};
  for (auto& [number, node] : nodes) {
    for (RankSummary& rank : node.ranks) { rank.step_age.reset(); }
  }
  CHECK_FALSE(job_progress(nodes, kToldAt).step_age);
  nodes[0].ranks[1].step_age = 3;
  nodes[1].ranks[0].step_age = 2;
  nodes[1].written -= 2s;
  CHECK(job_progress(nodes, kToldAt + 1s).step_age == 4.0);
}

TEST_CASE(
    "the median is that of all ranks, of an even number the lower one in the middle, in whatever order they are") {
  for (std::size_t first = 0; first < 4; ++first) {
    NodeSummary node;
    node.ranks.resize(4);
    for (std::size_t i = 0; i < 4; ++i) { node.ranks[(first + i) % 4].own = std::array{1.4, 0.8, 1.0, 1.2}[i]; }
    for (RankSummary& rank : node.ranks) { rank.step_age = 1; }
    const std::map<std::int64_t, NodeSummary> nodes = {{0, node}};
    const JobProgress job = job_progress(nodes, NodeTime());
    CHECK((job.slowest->rank == static_cast<std::int64_t>(first) && job.slowest->median == 1.0));
  }
}

TEST_CASE("the loss is that of the lowest rank that has sent one, and of ranks at one step the first is named") {
  NodeSummary low = two_ranks(0, 7, 1), high = two_ranks(1, 7, 1);
  low.ranks[0].loss.reset();
  high.ranks[1].step = low.ranks[1].step;
  const std::map<std::int64_t, NodeSummary> nodes = {{0, low}, {1, high}};
  const JobProgress job = job_progress(nodes, kToldAt + 15s);
  CHECK((job.loss == low.ranks[1].loss && job.behind->rank == 0 && job.ahead->rank == 1));
  CHECK_FALSE(job.nodes.at(0).old);  // it takes more
}

TEST_CASE("workers that have ended count in no rate, and are neither slow nor a measure of it") {
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 0.5)}, {1, two_ranks(1, 110, 1)}};
  nodes[0].ranks[0].ended = nodes[1].ranks[1].ended = true;
  const JobProgress job = job_progress(nodes, kToldAt);
  CHECK((job.samples_per_s == 8.0 && job.steps_per_s == 1.0));
  CHECK((job.slowest->rank == 2 && job.slowest->median == 0.75 && job.slow == std::set<std::int64_t>{2}));
  nodes[0].ranks[1].ended = nodes[1].ranks[0].ended = true;
  const JobProgress over = job_progress(nodes, kToldAt);
  CHECK((!over.samples_per_s && !over.steps_per_s && !over.slowest && over.slow.empty()));
  CHECK(over.no_slowest == JobProgress::NoSlowest::not_compared);
}

TEST_CASE("the slowest rank of the status is one for which the others wait, as in the log") {
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 1)}, {1, two_ranks(1, 110, 1)}};
  for (auto& [number, node] : nodes) {
    for (RankSummary& rank : node.ranks) { rank.own = 1; }
  }
  const auto slow = [&] { return job_progress(nodes, kToldAt).slow; };
  nodes[1].ranks[0].own = 3;
  nodes[1].ranks[1].own = 2;
  CHECK(slow() == std::set<std::int64_t>{2, 3});
  SECTION("not one that waits more than most") {
    for (auto& [number, node] : nodes) {
      for (RankSummary& rank : node.ranks) { rank.waiting = 0.25; }
    }
    nodes[1].ranks[0].waiting = 2;
    CHECK((slow() == std::set<std::int64_t>{3} && job_progress(nodes, kToldAt).slowest->rank == 3));
  }
  SECTION("not one that stands still") {
    nodes[1].ranks[0].step_age = 59;
    CHECK(slow() == std::set<std::int64_t>{2, 3});
    const JobProgress later = job_progress(nodes, kToldAt + 2s);
    CHECK((later.slow == std::set<std::int64_t>{3} && later.slowest->rank == 3));
  }
  SECTION("nobody where most tell no time of their own") {
    nodes[0].ranks[0].own = nodes[0].ranks[1].own = 0;
    CHECK((slow().empty() && job_progress(nodes, kToldAt).no_slowest == JobProgress::NoSlowest::not_compared));
  }
  SECTION("nobody by less than 5 ms") {
    for (auto& [number, node] : nodes) {
      for (RankSummary& rank : node.ranks) { rank.own = 0.002; }
    }
    nodes[1].ranks[0].own = 0.006;
    CHECK((slow().empty() && job_progress(nodes, kToldAt).slowest->even));
  }
}

TEST_CASE(
    "nobody is slow where only a few of those that send their own time can be compared, nor by what is long over") {
  std::map<std::int64_t, NodeSummary> nodes = {{0, two_ranks(0, 118, 1)}, {1, two_ranks(1, 118, 1)}};
  for (auto& [number, node] : nodes) {
    for (RankSummary& rank : node.ranks) { rank.own = 1; }
  }
  nodes[1].ranks[1].own = 2;
  CHECK(job_progress(nodes, kToldAt).slow == std::set<std::int64_t>{3});
  nodes[1].ranks[1].own_lately = 1;
  const JobProgress quick = job_progress(nodes, kToldAt);
  CHECK((quick.slow.empty() && quick.slowest->rank == 3));
  nodes[1].ranks[1].own_lately = 2;
  nodes[0].ranks[0].step_age = 100;
  CHECK(job_progress(nodes, kToldAt).slow == std::set<std::int64_t>{3});
  nodes[1].ranks[0].step_age = 100;  // two of four are left
  const JobProgress few = job_progress(nodes, kToldAt);
  CHECK((few.slow.empty() && !few.slowest && few.no_slowest == JobProgress::NoSlowest::not_compared));
  nodes[0].ranks[0].ended = nodes[1].ranks[0].ended = true;  // of two who still send it both are
  CHECK(job_progress(nodes, kToldAt).slow == std::set<std::int64_t>{3});
  nodes[0].ranks[1].ended = true;  // one alone
  const JobProgress one = job_progress(nodes, kToldAt);
  CHECK((one.slow.empty() && one.slowest->rank == 3 && one.slowest->even));
}

TEST_CASE("where nobody sends something it is not known") {
  NodeSummary silent;
  silent.ranks.resize(3);
  silent.ranks[1].step = 4;
  silent.ranks[1].age = 1;
  const std::map<std::int64_t, NodeSummary> nodes = {{0, silent}};
  const JobProgress job = job_progress(nodes, NodeTime());
  CHECK((job.ranks == 1 && job.ahead->rank == 1 && !job.total && !job.samples_per_s && !job.loss && !job.slowest));
  const std::map<std::int64_t, NodeSummary> nobody;
  CHECK_FALSE(job_progress(nobody, NodeTime()).behind);
}

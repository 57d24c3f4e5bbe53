#include "launcher/doctor_deep/health_comparison.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::doctor_deep;

namespace {

constexpr std::int64_t kTera = 1'000'000'000'000;

/// A node whose processes multiply that fast.
NodeHealth node_of(const std::vector<std::int64_t>& teraflops) {
  NodeHealth node;
  for (const std::int64_t each : teraflops) {
    RankHealth rank;
    rank.local_rank = static_cast<int>(node.ranks.size());
    if (each >= 0) { rank.matrix_product.value = each * kTera; }
    node.ranks.push_back(rank);
  }
  return node;
}

}  // namespace

TEST_CASE("a node that is more than a fifth below the median of all nodes is an outlier") {
  const auto outliers = find_outliers({node_of({180}), node_of({110}), node_of({182}), node_of({145})});
  REQUIRE(outliers.size() == 1);
  CHECK(outliers[0].node == 1);
  CHECK_FALSE(outliers[0].local_rank);
  CHECK(outliers[0].part->name == std::string("matrix product"));
  CHECK(outliers[0].value == 110 * kTera);
  CHECK(outliers[0].median == (180 + 145) * kTera / 2);
  CHECK(find_outliers({node_of({100}), node_of({100}), node_of({80})}).empty());  // just a fifth
  CHECK(find_outliers({node_of({100}), node_of({100}), node_of({79})}).size() == 1);
  CHECK(find_outliers({node_of({100}), node_of({100}), node_of({500})}).empty());  // faster is no trouble
}

TEST_CASE("of two nodes the slower one is an outlier when it is two thirds as fast, not when a bit slower") {
  CHECK(find_outliers({node_of({100}), node_of({60})}).size() == 1);
  CHECK(find_outliers({node_of({100}), node_of({70})}).empty());
}

TEST_CASE("the GPUs of a node are compared among themselves, and with those of the others") {
  const auto of_one = find_outliers({node_of({700, 690, 410, 705})});
  REQUIRE(of_one.size() == 1);
  CHECK(of_one[0].local_rank == 2);
  const auto of_two = find_outliers({node_of({700, 700}), node_of({700, 300})});
  REQUIRE(of_two.size() == 1);
  CHECK(of_two[0].node == 1);
  CHECK(of_two[0].local_rank == 1);
  const auto all = find_outliers({node_of({700, 700, 700}), node_of({300, 290})});  // one finding, its lowest
  REQUIRE(all.size() == 1);
  CHECK_FALSE(all[0].local_rank);
  CHECK(all[0].value == 290 * kTera);
}

TEST_CASE("what was not measured is compared with nothing") {
  CHECK(find_outliers({}).empty());
  CHECK(find_outliers({NodeHealth{}, NodeHealth{}}).empty());
  CHECK(find_outliers({node_of({100}), node_of({-1})}).empty());
  CHECK(find_outliers({node_of({100})}).empty());
  CHECK(find_outliers({node_of({0}), node_of({0})}).empty());
}

TEST_CASE("of a node that was measured twice the better numbers count") {
  NodeHealth first = node_of({100, 200}), second = node_of({150, 120, 500});
  first.ranks[0].node_latency.value = 10'000;
  second.ranks[0].node_latency.value = 20'000;
  first.ranks[1].disk_write = {std::nullopt, "full"};
  second.ranks[1].disk_write.value = 5;
  second.ranks[0].matrix_product.value = 150 * kTera;
  first.ranks[0].all_reduce.value = 7;
  second.ranks[0].all_reduce.value = 9;  // alone: not that of all nodes
  const NodeHealth better = better_of(first, second);
  REQUIRE(better.ranks.size() == 2);
  CHECK(better.ranks[0].matrix_product.value == 150 * kTera);
  CHECK(better.ranks[1].matrix_product.value == 200 * kTera);
  CHECK(better.ranks[0].node_latency.value == 10'000);
  CHECK(better.ranks[1].disk_write == Measured{5, ""});
  CHECK(better.ranks[0].all_reduce.value == 7);
  CHECK(better_of(second, first).ranks[0].node_latency.value == 10'000);
  CHECK(better_of(first, NodeHealth{}).ranks == first.ranks);
}

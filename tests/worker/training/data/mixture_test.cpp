#include "worker/training/data/mixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "worker/training/data/sampler.hpp"

using mdl::worker::training::data::epoch_parts;
using mdl::worker::training::data::mixed_order;
using mdl::worker::training::data::Mixture;

TEST_CASE("without weights an epoch is the permutation of all rows that a single dataset has") {
  const Mixture several{.rows = {5, 3, 4}};
  CHECK(mixed_order(several, 42, 1) == mdl::worker::training::data::epoch_order(12, 42, 1));
}

TEST_CASE("an epoch has as many rows as all sets, in the parts that the weights say") {
  CHECK(epoch_parts({.rows = {70, 30}, .weights = {0.5, 0.5}}) == std::vector<int64_t>{50, 50});
  CHECK(epoch_parts({.rows = {5, 5}, .weights = {2, 1}}) == std::vector<int64_t>{7, 3});
  CHECK(epoch_parts({.rows = {1, 1, 2}, .weights = {1, 1, 1}}) == std::vector<int64_t>{2, 1, 1});
  const Mixture mixture{.rows = {6, 14}, .weights = {3, 1}};
  const auto order = mixed_order(mixture, 7, 0);
  REQUIRE(order.size() == 20);
  CHECK(std::ranges::count_if(order, [](int64_t row) { return row < 6; }) == 15);
  CHECK(order == mixed_order(mixture, 7, 0));
  CHECK(order != mixed_order(mixture, 8, 0));
}

TEST_CASE("no row of a set comes again before all have come, over the epochs") {
  const Mixture mixture{.rows = {6, 14}, .weights = {3, 1}};
  std::map<int64_t, int> times;
  for (int64_t epoch = 0; epoch < 14; ++epoch) {
    for (const int64_t row : mixed_order(mixture, 3, epoch)) { ++times[row]; }
    for (const auto& [begin, end] : {std::pair(0, 6), std::pair(6, 20)}) {
      int least = 1000, most = 0;
      for (int64_t row = begin; row < end; ++row) {
        least = std::min(least, times[row]);
        most = std::max(most, times[row]);
      }
      CHECK(most - least <= 1);
    }
  }
  // Also within an epoch, in the order of the visits.
  std::vector<int64_t> of_first;
  for (const int64_t row : mixed_order(mixture, 3, 0)) {
    if (row < 6) { of_first.push_back(row); }
  }
  REQUIRE(of_first.size() == 15);
  for (std::size_t pass = 0; pass + 6 <= of_first.size(); pass += 6) {
    std::vector<int64_t> once(of_first.begin() + static_cast<std::ptrdiff_t>(pass),
                              of_first.begin() + static_cast<std::ptrdiff_t>(pass) + 6);
    std::ranges::sort(once);
    CHECK(once == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
  }
  CHECK(times[0] == 35);  // 14 epochs of 15 rows out of 6
  CHECK(times[19] == 5);  // 14 epochs of 5 rows out of 14
}

TEST_CASE("sets of the same size are visited in orders of their own, shuffled into each other") {
  const auto order = mixed_order({.rows = {50, 50}, .weights = {1, 1}}, 42, 0);
  std::vector<int64_t> first, second;
  for (const int64_t row : order) { (row < 50 ? first : second).push_back(row % 50); }
  CHECK(first != second);
  CHECK_FALSE(std::ranges::is_sorted(order, {}, [](int64_t row) { return row / 50; }));
}

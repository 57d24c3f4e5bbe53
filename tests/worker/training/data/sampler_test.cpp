#include <catch2/catch.hpp>

#include <numeric>
#include <set>

#include "worker/training/data/sampler.hpp"

using mdl::worker::training::data::batches_per_rank;
using mdl::worker::training::data::epoch_order;
using mdl::worker::training::data::rank_batches;
using Batches = std::vector<std::vector<int64_t>>;

namespace {

std::vector<int64_t> count_to(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

TEST_CASE("an epoch visits every row once, in an order that seed and epoch decide") {
  const auto order = epoch_order(100, 42, 0);
  CHECK(std::set<int64_t>(order.begin(), order.end()).size() == 100);
  CHECK(order == epoch_order(100, 42, 0));
  CHECK(order != epoch_order(100, 42, 1));
  CHECK(order != epoch_order(100, 43, 0));
  CHECK(epoch_order(100, 43, 0) == epoch_order(100, 42, 1));  // the generator's seed is their sum
}

TEST_CASE("the order is the one that torch.randperm draws in Python") {
  // python -c "import torch; g = torch.Generator().manual_seed(42); print(torch.randperm(10, generator=g).tolist())"
  CHECK(epoch_order(10, 42, 0) == std::vector<int64_t>{2, 6, 1, 8, 4, 5, 0, 9, 3, 7});
}

TEST_CASE("one rank takes all batches and the last may be short") {
  CHECK(rank_batches(count_to(7), 3, 1, 0) == Batches{{0, 1, 2}, {3, 4, 5}, {6}});
  CHECK(batches_per_rank(7, 3, 1) == 3);
}

TEST_CASE("two ranks take turns, so that a step of both covers neighbouring rows") {
  CHECK(rank_batches(count_to(8), 2, 2, 0) == Batches{{0, 1}, {4, 5}});
  CHECK(rank_batches(count_to(8), 2, 2, 1) == Batches{{2, 3}, {6, 7}});
}

TEST_CASE("what is missing for full batches on every rank comes from the start of the order") {
  // 7 rows: the batch {6} is filled up with row 0, and the second rank gets a whole batch of rows 1, 2.
  CHECK(rank_batches(count_to(7), 2, 2, 0) == Batches{{0, 1}, {4, 5}});
  CHECK(rank_batches(count_to(7), 2, 2, 1) == Batches{{2, 3}, {6, 0}});
  CHECK(rank_batches(count_to(5), 2, 2, 0) == Batches{{0, 1}, {4, 0}});
  CHECK(rank_batches(count_to(5), 2, 2, 1) == Batches{{2, 3}, {1, 2}});
}

TEST_CASE("fewer rows than one round needs are used over and over") {
  CHECK(rank_batches(count_to(1), 2, 3, 2) == Batches{{0, 0}});
  CHECK(rank_batches(count_to(3), 2, 4, 3) == Batches{{0, 1}});  // 0 1 | 2 0 | 1 2 | 0 1
}

TEST_CASE("all ranks have equally many batches") {
  for (int64_t rows = 1; rows < 40; ++rows) {
    for (int64_t world = 1; world < 5; ++world) {
      for (int64_t rank = 0; rank < world; ++rank) {
        CHECK(static_cast<int64_t>(rank_batches(count_to(rows), 3, world, rank).size()) ==
              batches_per_rank(rows, 3, world));
      }
    }
  }
}

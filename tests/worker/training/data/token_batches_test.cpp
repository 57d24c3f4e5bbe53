#include "worker/training/data/token_batches.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>

#include "worker/training/data/sampler.hpp"

using namespace mdl::worker::training::data;

namespace {

using Rows = std::vector<int64_t>;

/// Rows of 20 to 400 tokens, in no order.
TokenBatches mixed_rows(int64_t rows, int64_t most) {
  TokenBatches batches{.most = most};
  for (int64_t row = 0; row < rows; ++row) {
    batches.lengths.push_back({.text = 10 + row * 31 % 90, .sound = 10 + row * row * 17 % 290});
  }
  return batches;
}

int64_t tokens_of(const Rows& rows, const TokenBatches& batches) {
  int64_t text = 0, longest = 0;
  for (const int64_t row : rows) {
    text += batches.lengths[static_cast<size_t>(row)].text;
    longest = std::max(longest, batches.lengths[static_cast<size_t>(row)].sound);
  }
  return text + longest * std::ssize(rows);
}

Rows joined(const std::vector<Rows>& batches) {
  Rows all;
  for (const Rows& rows : batches) { all.insert(all.end(), rows.begin(), rows.end()); }
  return all;
}

}  // namespace

TEST_CASE("an order by length has the rows of each window, the longest or the shortest first in turns") {
  const auto rows = GENERATE(int64_t{35}, int64_t{1100}, int64_t{5000});
  const TokenBatches batches = mixed_rows(rows, 500);
  const Rows drawn = epoch_order(rows, 7, 0), sorted = order_by_length(drawn, batches.lengths);
  CHECK(sorted == order_by_length(drawn, batches.lengths));
  CHECK(sorted != order_by_length(epoch_order(rows, 7, 1), batches.lengths));
  const int64_t window = length_window(rows);
  CHECK(window == std::min<int64_t>(512, rows / 4));
  for (int64_t begin = 0; begin < rows; begin += window) {
    const int64_t end = std::min(begin + window, rows);
    const Rows before(drawn.begin() + begin, drawn.begin() + end);
    Rows here(sorted.begin() + begin, sorted.begin() + end);
    if (begin / window % 2 == 0) { std::ranges::reverse(here); }
    CHECK(
        std::ranges::is_sorted(here, {}, [&](int64_t row) { return batches.lengths[static_cast<size_t>(row)].sound; }));
    CHECK(std::ranges::is_permutation(here, before));
  }
}

TEST_CASE("batches have every row once, in its order, and as many as their tokens allow") {
  const auto most = GENERATE(int64_t{400}, int64_t{1000}, int64_t{100000});
  const TokenBatches batches = mixed_rows(777, most);
  const Rows order = order_by_length(epoch_order(777, 3, 2), batches.lengths);
  const auto cut = cut_by_tokens(order, batches, 0);
  CHECK(joined(cut) == order);
  for (size_t i = 0; i < cut.size(); ++i) {
    CHECK(tokens_of(cut[i], batches) <= most);
    if (i + 1 == cut.size()) { continue; }
    Rows one_more = cut[i];
    one_more.push_back(cut[i + 1].front());
    CHECK(tokens_of(one_more, batches) > most);
  }
}

TEST_CASE("sounds count as long as the longest of their batch") {
  const TokenBatches batches{.most = 100, .lengths = {{10, 30}, {10, 5}, {10, 5}, {10, 5}, {10, 5}, {10, 5}}};
  CHECK(cut_by_tokens({0, 1, 2, 3, 4, 5}, batches, 0) == std::vector<Rows>{{0, 1}, {2, 3, 4, 5}});
}

TEST_CASE("what is left of an epoch is cut as the epoch was") {
  const TokenBatches batches = mixed_rows(300, 900);
  const Rows order = order_by_length(epoch_order(300, 1, 0), batches.lengths);
  const auto whole = cut_by_tokens(order, batches, 0);
  int64_t taken = 0;
  for (size_t done = 0; done <= whole.size(); ++done) {
    CHECK(cut_by_tokens(order, batches, taken) ==
          std::vector<Rows>(whole.begin() + static_cast<std::ptrdiff_t>(done), whole.end()));
    if (done < whole.size()) { taken += std::ssize(whole[done]); }
  }
}

TEST_CASE("all ranks get equally many batches, in rounds, and no row is lost or comes twice") {
  const auto world_size = GENERATE(int64_t{1}, int64_t{2}, int64_t{3}, int64_t{7});
  const auto most = GENERATE(int64_t{400}, int64_t{1000}, int64_t{30000});
  const TokenBatches batches = mixed_rows(97, most);
  const auto cut = cut_by_tokens(order_by_length(epoch_order(97, 5, 0), batches.lengths), batches, 0);
  const auto ranks = deal_batches(cut, batches, world_size);
  REQUIRE(std::ssize(ranks) == world_size);
  const size_t rounds = ranks.front().size();
  CHECK(rounds == (cut.size() + ranks.size() - 1) / ranks.size());
  Rows all;
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      REQUIRE(ranks[rank].size() == rounds);
      const Rows& rows = ranks[rank][round];
      CHECK(tokens_of(rows, batches) <= most);
      CHECK_FALSE((rank == 0 && rows.empty()));
      if (round + 1 < rounds) { CHECK(rows == cut[round * ranks.size() + rank]); }
      all.insert(all.end(), rows.begin(), rows.end());
    }
  }
  CHECK(all == joined(cut));
}

TEST_CASE("with fewer rows than ranks the last ranks' batches are empty") {
  const TokenBatches batches{.most = 100, .lengths = {{1, 1}, {1, 1}}};
  const auto ranks = deal_batches({{0, 1}}, batches, 4);
  CHECK(ranks == std::vector<std::vector<Rows>>{{{0}}, {{1}}, {{}}, {{}}});
}

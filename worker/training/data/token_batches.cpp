#include "worker/training/data/token_batches.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mdl::worker::training::data {
namespace {

using Rows = std::vector<int64_t>;

constexpr int64_t kWidestWindow = 512, kWindowsOfEpoch = 4;

const RowLength& length_of(const std::vector<RowLength>& lengths, int64_t row) {
  return lengths[static_cast<std::size_t>(row)];
}

int64_t tokens_of_rows(const Rows& rows, const TokenBatches& batches) {
  BatchTokens tokens;
  for (const int64_t row : rows) { tokens.add(length_of(batches.lengths, row)); }
  return tokens.count();
}

/// Splits the longest of the batches from `first` on; where each has one row at most, adds an empty one.
void split_longest(std::vector<Rows>& cut, std::ptrdiff_t first, const TokenBatches& batches) {
  auto longest = cut.end();
  int64_t most = 0;
  for (auto batch = cut.begin() + first; batch != cut.end(); ++batch) {
    const int64_t tokens = tokens_of_rows(*batch, batches);
    if (batch->size() > 1 && tokens > most) {
      most = tokens;
      longest = batch;
    }
  }
  if (longest == cut.end()) {
    cut.emplace_back();
    return;
  }
  const auto middle = longest->begin() + std::ssize(*longest) / 2;
  Rows second(middle, longest->end());
  longest->erase(middle, longest->end());
  cut.insert(std::next(longest), std::move(second));
}

}  // namespace

int64_t length_window(int64_t rows) {
  return std::clamp<int64_t>(rows / kWindowsOfEpoch, 1, kWidestWindow);
}

std::vector<int64_t> order_by_length(const std::vector<int64_t>& order, const std::vector<RowLength>& lengths) {
  const int64_t rows = std::ssize(order), window = length_window(rows);
  const auto key = [&](int64_t row) {
    const RowLength& length = length_of(lengths, row);
    return std::pair(length.sound, length.text);
  };
  Rows sorted = order;
  for (int64_t begin = 0; begin < rows; begin += window) {
    const auto first = sorted.begin() + begin, last = sorted.begin() + std::min(begin + window, rows);
    if (begin / window % 2 == 0) {
      std::stable_sort(first, last, [&](int64_t a, int64_t b) { return key(a) > key(b); });
    } else {
      std::stable_sort(first, last, [&](int64_t a, int64_t b) { return key(a) < key(b); });
    }
  }
  return sorted;
}

std::vector<std::vector<int64_t>> cut_by_tokens(const std::vector<int64_t>& order, const TokenBatches& batches,
                                                int64_t taken) {
  std::vector<Rows> cut;
  BatchTokens tokens;
  for (auto row = order.begin() + std::min<int64_t>(taken, std::ssize(order)); row != order.end(); ++row) {
    const RowLength& length = length_of(batches.lengths, *row);
    if (cut.empty() || tokens.with(length) > batches.most) {
      cut.emplace_back();
      tokens = {};
    }
    tokens.add(length);
    cut.back().push_back(*row);
  }
  return cut;
}

std::vector<std::vector<std::vector<int64_t>>> deal_batches(std::vector<std::vector<int64_t>> cut,
                                                            const TokenBatches& batches, int64_t world_size) {
  const std::ptrdiff_t last_round = std::ssize(cut) / world_size * world_size;
  while (std::ssize(cut) % world_size != 0) { split_longest(cut, last_round, batches); }
  std::vector<std::vector<Rows>> ranks(static_cast<std::size_t>(world_size));
  for (std::size_t i = 0; i < cut.size(); ++i) { ranks[i % ranks.size()].push_back(std::move(cut[i])); }
  return ranks;
}

}  // namespace mdl::worker::training::data

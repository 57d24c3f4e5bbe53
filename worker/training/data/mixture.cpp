#include "worker/training/data/mixture.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "worker/training/data/sampler.hpp"

namespace mdl::worker::training::data {
namespace {

/// So that sets of one size have different orders, and none that of the epochs.
uint64_t seed_of_set(uint64_t seed, std::size_t set) {
  constexpr uint64_t kApart = 0x9E3779B97F4A7C15;
  return seed + kApart * (set + 1);
}

/// Places [begin, begin + count) of the endless row of orders of a set.
std::vector<int64_t> stretch_of_set(int64_t rows, uint64_t seed, int64_t begin, int64_t count) {
  std::vector<int64_t> taken;
  while (count > 0) {
    const std::vector<int64_t> order = epoch_order(rows, seed, begin / rows);
    const int64_t from = begin % rows, part = std::min(count, rows - from);
    taken.insert(taken.end(), order.begin() + from, order.begin() + from + part);
    begin += part;
    count -= part;
  }
  return taken;
}

}  // namespace

int64_t Mixture::size() const {
  return std::accumulate(rows.begin(), rows.end(), int64_t{0});
}

std::vector<int64_t> epoch_parts(const Mixture& mixture) {
  const auto all = static_cast<double>(mixture.size());
  const double weights = std::accumulate(mixture.weights.begin(), mixture.weights.end(), 0.0);
  std::vector<int64_t> parts;
  std::vector<std::pair<double, std::size_t>> remainders;
  int64_t left = mixture.size();
  for (std::size_t set = 0; set < mixture.weights.size(); ++set) {
    const double part = all * (mixture.weights[set] / weights);
    parts.push_back(static_cast<int64_t>(std::floor(part)));
    remainders.emplace_back(std::floor(part) - part, set);
    left -= parts.back();
  }
  std::ranges::sort(remainders);
  for (std::size_t i = 0; left > 0; --left, i = (i + 1) % remainders.size()) { ++parts[remainders[i].second]; }
  return parts;
}

std::vector<int64_t> mixed_order(const Mixture& mixture, uint64_t seed, int64_t epoch) {
  const std::vector<int64_t> shuffle = epoch_order(mixture.size(), seed, epoch);
  if (mixture.weights.empty()) { return shuffle; }
  const std::vector<int64_t> parts = epoch_parts(mixture);
  std::vector<std::vector<int64_t>> taken;  // of each set, the next one last
  std::vector<int64_t> firsts, ends;        // of each set: its first row, and the end of its part of the shuffle
  int64_t first = 0, end = 0;
  for (std::size_t set = 0; set < parts.size(); ++set) {
    taken.push_back(stretch_of_set(mixture.rows[set], seed_of_set(seed, set), epoch * parts[set], parts[set]));
    std::ranges::reverse(taken.back());
    firsts.push_back(first);
    ends.push_back(end += parts[set]);
    first += mixture.rows[set];
  }
  // The shuffle says which set is next. The rows of a set keep its order.
  std::vector<int64_t> order;
  order.reserve(shuffle.size());
  for (const int64_t place : shuffle) {
    const auto set = static_cast<std::size_t>(std::ranges::upper_bound(ends, place) - ends.begin());
    order.push_back(firsts[set] + taken[set].back());
    taken[set].pop_back();
  }
  return order;
}

}  // namespace mdl::worker::training::data

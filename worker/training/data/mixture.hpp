#pragma once

#include <cstdint>
#include <vector>

namespace mdl::worker::training::data {

/// Sets of rows that a training takes from. Without weights an epoch visits each row of all sets once. With weights it
/// is as long, but each set has the part of it that its weight says: a set goes on in the next epoch where it stopped
/// in the last, in an order of its own, and begins a new order when all its rows have been visited. So no row of a set
/// comes a second time before all have come once.
struct Mixture {
  std::vector<int64_t> rows{};    ///< of each set, at least 1; the sets stand one behind the other
  std::vector<double> weights{};  ///< as many, above 0, or none

  int64_t size() const;  ///< rows of all sets
};

/// Rows that each set gives to an epoch: parts of size() by weight, rounded so that they add up (largest remainders
/// first). Only of a mixture with weights.
std::vector<int64_t> epoch_parts(const Mixture& mixture);

/// The order of epoch `epoch` (from 0) over the rows of all sets, size() places: epoch_order() of all rows, or with
/// weights the sets shuffled into each other. The same on every rank and for any number of ranks.
std::vector<int64_t> mixed_order(const Mixture& mixture, uint64_t seed, int64_t epoch);

}  // namespace mdl::worker::training::data

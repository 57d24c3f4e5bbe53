#pragma once

#include <cstdint>
#include <vector>

namespace mdl::worker::training::data {

/// The order in which epoch `epoch` (from 0) visits the rows of a dataset: the permutation that Hugging Face's Trainer
/// with accelerate's seedable sampler draws, torch.randperm from a generator seeded with seed + epoch.
std::vector<int64_t> epoch_order(int64_t rows, uint64_t seed, int64_t epoch);

/// Cuts `order` into batches of `batch_size` and gives rank r of `world_size` the batches r, r + world_size, ….
///
/// With one rank the last batch may be short. With more, every rank gets equally many full batches: what is missing at
/// the end is filled with rows from the start of `order`, over and over if need be (accelerate's even_batches).
///
/// The first `taken` rows of the order are left out: with an earlier run's batches taken from there, whatever its
/// world_size was, the rest is visited once.
std::vector<std::vector<int64_t>> rank_batches(const std::vector<int64_t>& order, int64_t batch_size,
                                               int64_t world_size, int64_t rank, int64_t taken = 0);

/// How many batches rank_batches returns for that many rows (those that are not taken).
int64_t batches_per_rank(int64_t rows, int64_t batch_size, int64_t world_size);

}  // namespace mdl::worker::training::data

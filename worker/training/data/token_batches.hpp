#pragma once

#include <cstdint>
#include <vector>

#include "worker/training/data/row_length.hpp"

namespace mdl::worker::training::data {

/// Batches of an epoch that are full when they have so many tokens: --batch-tokens.
struct TokenBatches {
  int64_t most = 0;                  ///< tokens of a batch, see BatchTokens; no row has more
  std::vector<RowLength> lengths{};  ///< of each row of the training data
};

/// Rows among which order_by_length() sorts: a quarter of the epoch, at most 512.
int64_t length_window(int64_t rows);

/// `order`, of rows of these lengths, sorted inside windows of length_window() by the sound and then the text, so that
/// neighbours are of similar length: in the first window the longest come first, in the next one the shortest, and so
/// on in turns. Depends on nothing else, so that an epoch can go on with other batches and other ranks.
std::vector<int64_t> order_by_length(const std::vector<int64_t>& order, const std::vector<RowLength>& lengths);

/// Cuts `order`, without its first `taken` rows, into batches: each takes rows for as long as it has at most
/// `batches.most` tokens. So what one batch holds depends on where it begins alone.
std::vector<std::vector<int64_t>> cut_by_tokens(const std::vector<int64_t>& order, const TokenBatches& batches,
                                                int64_t taken);

/// Gives rank r of `world_size` the batches r, r + world_size, …; all ranks get equally many. Where the last round is
/// short, its longest batches are split. With fewer rows than ranks in that round some ranks get an empty batch, never
/// the first.
std::vector<std::vector<std::vector<int64_t>>> deal_batches(std::vector<std::vector<int64_t>> cut,
                                                            const TokenBatches& batches, int64_t world_size);

}  // namespace mdl::worker::training::data

#include "worker/training/step_source.hpp"

#include "worker/data/collate.hpp"
#include "worker/data/sampler.hpp"

namespace mdl {

EpochOrder::EpochOrder(int64_t rows, uint64_t seed, int64_t epoch, int64_t batch_size, int64_t world_size) {
  const std::vector<int64_t> order = epoch_order(rows, seed, epoch);
  for (int64_t rank = 0; rank < world_size; ++rank) {
    ranks_.push_back(rank_batches(order, batch_size, world_size, rank));
  }
}

const std::vector<int64_t>& EpochOrder::rows(int64_t rank, int64_t index) const {
  return ranks_[static_cast<size_t>(rank)][static_cast<size_t>(index)];
}

StepData read_step(const DatasetFolder& dataset, const EpochOrder& order, int64_t rank, int64_t first, int64_t count,
                   const BatchOptions& options) {
  StepData step;
  for (int64_t index = first; index < first + count; ++index) {
    for (int64_t peer = 0; peer < order.world_size(); ++peer) {
      std::vector<Sample> samples;
      for (const int64_t row : order.rows(peer, index)) {
        samples.push_back(dataset.sample(row));
        step.label_tokens += label_tokens(samples.back());
      }
      step.samples += static_cast<int64_t>(samples.size());
      if (peer != rank) continue;
      step.batches.push_back(collate(samples, options.pad_token_id, options.audio_dtype));
      step.rows.push_back(order.rows(peer, index));
    }
  }
  return step;
}

}  // namespace mdl

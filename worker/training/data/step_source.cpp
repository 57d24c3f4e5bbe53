#include "worker/training/data/step_source.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/batch/collate.hpp"
#include "worker/training/data/sampler.hpp"

namespace mdl::worker::training::data {
namespace {

constexpr const char* kSkipAdvice = "Repair the row, or leave such rows out with --skip-bad-samples true.";

/// A sample that a batch needs so as not to be empty: nothing to hear and nothing to learn. `zeros` keeps its sound.
dataset::Sample silence(dataset::Sample sample, std::vector<float>& zeros) {
  zeros.assign(static_cast<size_t>(sample.audio_length), 0.0F);
  sample.waveform = std::span<const float>(zeros);
  std::fill(sample.labels.begin(), sample.labels.end(), dataset::kIgnoredLabel);
  return sample;
}

std::vector<std::vector<std::vector<int64_t>>> batches_of_ranks(const DataShape& shape,
                                                                const std::vector<int64_t>& order, int64_t taken) {
  std::vector<std::vector<std::vector<int64_t>>> ranks;
  for (int64_t rank = 0; rank < shape.world_size; ++rank) {
    ranks.push_back(rank_batches(order, shape.batch_size, shape.world_size, rank, taken));
  }
  return ranks;
}

}  // namespace

EpochOrder::EpochOrder(const DataShape& shape, const Mixture& mixture, uint64_t seed, int64_t epoch, int64_t taken)
    : EpochOrder(batches_of_ranks(shape, mixed_order(mixture, seed, epoch), taken)) {}

EpochOrder::EpochOrder(std::vector<std::vector<std::vector<int64_t>>> ranks) : ranks_(std::move(ranks)) {
  rows_in_.push_back(0);
  for (std::size_t round = 0; round < ranks_.front().size(); ++round) {
    int64_t rows = rows_in_.back();
    for (const auto& batches : ranks_) { rows += std::ssize(batches[round]); }
    rows_in_.push_back(rows);
  }
}

const std::vector<int64_t>& EpochOrder::rows(int64_t rank, int64_t index) const {
  return ranks_[static_cast<size_t>(rank)][static_cast<size_t>(index)];
}

int64_t EpochOrder::any_row(int64_t rank, int64_t index) const {
  const auto& own = rows(rank, index);
  return own.empty() ? rows(0, index).front() : own.front();
}

StepData read_step(const dataset::DatasetView& dataset, const EpochOrder& order, int64_t rank, int64_t first,
                   int64_t count, const batch::BatchOptions& options) {
  StepData step;
  for (int64_t index = first; index < first + count; ++index) {
    for (int64_t peer = 0; peer < order.world_size(); ++peer) {
      std::vector<dataset::Sample> samples;
      std::vector<int64_t> rows;
      for (const int64_t row : order.rows(peer, index)) {
        dataset::Sample sample = dataset.sample(row);
        if (options.skip_bad_samples) {  // of all ranks: what they leave out changes the number of label tokens
          if (const auto fault = dataset::sample_fault(sample)) {
            step.left_out.push_back(str_cat(dataset.describe(row), ": ", *fault));
            continue;
          }
        } else if (peer == rank) {
          if (const auto fault = dataset::sound_fault(sample)) {
            throw Error(str_cat(dataset.describe(row), ": ", *fault), kSkipAdvice);
          }
        }
        const int64_t tokens = dataset::label_tokens(sample);
        if (tokens == 0) { step.unlabelled.push_back(row); }
        step.label_tokens += tokens;
        samples.push_back(std::move(sample));
        rows.push_back(row);
      }
      step.samples += static_cast<int64_t>(samples.size());
      if (peer != rank) { continue; }
      std::vector<float> zeros;
      if (samples.empty()) { samples.push_back(silence(dataset.sample(order.any_row(peer, index)), zeros)); }
      step.batches.push_back(batch::collate(samples, options.pad_token_id, options.audio_dtype));
      step.rows.push_back(rows);
    }
  }
  return step;
}

}  // namespace mdl::worker::training::data

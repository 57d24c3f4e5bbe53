#include "worker/batch/collate.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace mdl::worker::batch {

Batch collate(std::span<const dataset::Sample> samples, int64_t pad_token_id, at::ScalarType audio_dtype) {
  const auto rows = static_cast<int64_t>(samples.size());
  int64_t tokens = 0;
  int64_t length = 0;
  for (const dataset::Sample& sample : samples) {
    tokens = std::max(tokens, static_cast<int64_t>(sample.input_ids.size()));
    length = std::max(length, dataset::sample_count(sample.waveform));
  }

  Batch batch{.input_ids = torch::full({rows, tokens}, pad_token_id, at::kLong),
              .attention_mask = torch::zeros({rows, tokens}, at::kLong),
              .input_values = torch::zeros({rows, length}, at::kFloat),
              .audio_length = torch::empty({rows}, at::kLong),
              .labels = torch::full({rows, tokens}, dataset::kIgnoredLabel, at::kLong)};
  for (int64_t row = 0; row < rows; ++row) {
    const dataset::Sample& sample = samples[static_cast<size_t>(row)];
    const auto end_aligned = [&](at::Tensor& target, const std::vector<int64_t>& values) {
      std::copy_backward(values.begin(), values.end(), target.data_ptr<int64_t>() + (row + 1) * tokens);
    };
    end_aligned(batch.input_ids, sample.input_ids);
    end_aligned(batch.attention_mask, sample.attention_mask);
    end_aligned(batch.labels, sample.labels);
    float* const audio = batch.input_values.data_ptr<float>() + row * length;
    std::visit(
        [&](const auto& values) {
          std::transform(values.begin(), values.end(), audio, [](auto value) { return dataset::to_sample(value); });
        },
        sample.waveform);
    batch.audio_length.data_ptr<int64_t>()[row] = sample.audio_length;
  }
  if (audio_dtype != at::kFloat) { batch.input_values = batch.input_values.to(audio_dtype).to(at::kFloat); }
  return batch;
}

}  // namespace mdl::worker::batch

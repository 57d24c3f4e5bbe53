#include "worker/data/collate.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "common/str_cat.hpp"

namespace mdl {

int64_t label_tokens(const Sample& sample) {
  int64_t count = 0;
  for (size_t t = 1; t < sample.labels.size(); ++t) {
    if (sample.labels[t] != kIgnoredLabel && sample.attention_mask[t - 1] != 0) { ++count; }
  }
  return count;
}

std::string sound_fault(const Sample& sample) {
  return std::visit(
      [](const auto& values) {
        const auto broken = std::find_if(values.begin(), values.end(),
                                         [](auto value) { return !std::isfinite(static_cast<double>(value)); });
        return broken == values.end()
                   ? std::string()
                   : str_cat("sound sample ", broken - values.begin(), " is ", static_cast<double>(*broken));
      },
      sample.waveform);
}

std::string sample_fault(const Sample& sample) {
  std::string fault = sound_fault(sample);
  return fault.empty() && label_tokens(sample) == 0 ? "no token is labelled" : fault;
}

Batch collate(std::span<const Sample> samples, int64_t pad_token_id, at::ScalarType audio_dtype) {
  const auto rows = static_cast<int64_t>(samples.size());
  int64_t tokens = 0;
  int64_t length = 0;
  for (const Sample& sample : samples) {
    tokens = std::max(tokens, static_cast<int64_t>(sample.input_ids.size()));
    length = std::max(length, sample_count(sample.waveform));
  }

  Batch batch{.input_ids = torch::full({rows, tokens}, pad_token_id, at::kLong),
              .attention_mask = torch::zeros({rows, tokens}, at::kLong),
              .input_values = torch::zeros({rows, length}, at::kFloat),
              .audio_length = torch::empty({rows}, at::kLong),
              .labels = torch::full({rows, tokens}, kIgnoredLabel, at::kLong)};
  for (int64_t row = 0; row < rows; ++row) {
    const Sample& sample = samples[static_cast<size_t>(row)];
    const auto end_aligned = [&](at::Tensor& target, const std::vector<int64_t>& values) {
      std::copy_backward(values.begin(), values.end(), target.data_ptr<int64_t>() + (row + 1) * tokens);
    };
    end_aligned(batch.input_ids, sample.input_ids);
    end_aligned(batch.attention_mask, sample.attention_mask);
    end_aligned(batch.labels, sample.labels);
    float* const audio = batch.input_values.data_ptr<float>() + row * length;
    std::visit(
        [&](const auto& values) {
          std::transform(values.begin(), values.end(), audio, [](auto value) { return to_sample(value); });
        },
        sample.waveform);
    batch.audio_length.data_ptr<int64_t>()[row] = sample.audio_length;
  }
  if (audio_dtype != at::kFloat) { batch.input_values = batch.input_values.to(audio_dtype).to(at::kFloat); }
  return batch;
}

}  // namespace mdl

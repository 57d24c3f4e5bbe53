#include "worker/merge/first_logits.hpp"

#include <torch/torch.h>

#include <cmath>
#include <numbers>
#include <span>

#include "worker/batch/collate.hpp"
#include "worker/dataset/label.hpp"
#include "worker/dataset/sample.hpp"

namespace mdl::worker::merge {

std::vector<float> built_in_sound() {
  constexpr int kRate = 16'000, kSamples = 3 * kRate;
  std::vector<float> sound(kSamples);
  double phase = 0;
  for (int i = 0; i < kSamples; ++i) {
    const double hertz = 200 + 1800.0 * i / kSamples;
    phase += 2 * std::numbers::pi * hertz / kRate;
    sound[static_cast<std::size_t>(i)] = static_cast<float>(0.3 * std::sin(phase));
  }
  return sound;
}

at::Tensor first_logits(model::MiDashengLM& model, const processor::Processor& processor,
                        const std::vector<float>& waveform) {
  const at::NoGradGuard no_grad;
  const std::vector<processor::Message> conversation = {
      {.role = "user", .content = {{.type = "audio", .value = ""}, {.type = "text", .value = "What is heard?"}}}};
  const auto encoded = processor.encode(conversation, {std::ssize(waveform)}, /*generate=*/true);
  dataset::Sample sample;
  sample.input_ids.assign(encoded.ids.begin(), encoded.ids.end());
  sample.attention_mask.assign(encoded.ids.size(), 1);
  sample.labels.assign(encoded.ids.size(), dataset::kIgnoredLabel);
  sample.waveform = std::span<const float>(waveform);
  sample.audio_length = std::ssize(waveform);
  batch::Batch batch = batch::collate(std::span(&sample, 1), processor.pad_token(), model.dtype());
  batch.input_values = batch.input_values.to(model.device());
  model.eval();
  return model.read_prompts(batch).logits[0].to(at::kFloat).cpu();
}

double relative_difference(const at::Tensor& one, const at::Tensor& other) {
  return (one - other).abs().max().item<double>() / std::max(1e-12, one.abs().max().item<double>());
}

}  // namespace mdl::worker::merge

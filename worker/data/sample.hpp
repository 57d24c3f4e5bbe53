#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace mdl {

/// A clip's waveform where it lies in the mapped dataset file: 16 kHz mono; float32, float64, or 16-bit PCM.
using Waveform = std::variant<std::span<const float>, std::span<const double>, std::span<const int16_t>>;

/// A stored value as a sample in [-1, 1]. 16-bit ones were multiplied by 32768 (worker/convert/dataset_writer.hpp).
template <typename Value>
float to_sample(Value value) {
  return std::is_same_v<Value, int16_t> ? static_cast<float>(value) / 32768.0F : static_cast<float>(value);
}

inline int64_t sample_count(const Waveform& waveform) {
  return std::visit([](const auto& values) { return static_cast<int64_t>(values.size()); }, waveform);
}

/// One row of a dataset. The token lists are copies; the waveform points into the mapped file and is valid as long as
/// the DatasetFolder it came from.
struct Sample {
  std::vector<int64_t> input_ids;
  std::vector<int64_t> attention_mask;  ///< as long as input_ids; 1 for a real token
  std::vector<int64_t> labels;          ///< as long as input_ids; -100 where no loss is taken
  Waveform waveform;                    ///< may carry padding behind audio_length
  int64_t audio_length = 0;             ///< samples of the clip itself
};

inline constexpr int64_t kIgnoredLabel = -100;

/// Tokens of the sample that the loss counts: labelled ones with a real token before them to predict them from.
int64_t label_tokens(const Sample& sample);

/// What makes the sample useless in training, or an empty text: a value of the sound that is no finite number (it would
/// make every weight NaN).
std::string sound_fault(const Sample& sample);

/// sound_fault(), or that no token is labelled, so that there is nothing to learn.
std::string sample_fault(const Sample& sample);

}  // namespace mdl

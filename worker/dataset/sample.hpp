#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "worker/dataset/label.hpp"

namespace mdl::worker::dataset {

/// A 16-bit floating-point number of IEEE 754 as it lies in a file: sign, 5 bits of exponent, 10 of mantissa.
struct Float16 {
  std::uint16_t bits = 0;

  /// Exact. Through the bits, since the compiler has no such type.
  explicit operator float() const {
    const std::uint32_t exponent = bits >> 10 & 0x1FU, mantissa = bits & 0x3FFU, sign = std::uint32_t{bits} >> 15 << 31;
    if (exponent == 0) {  // subnormal: units of 2^-24
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
      return sign ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1F ? 0xFF : exponent + 112;  // infinite or NaN; else 127 - 15
    return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
  }
  explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

/// A clip's waveform where it lies in the mapped dataset file: 16 kHz mono; float32, float64, 16-bit PCM, or float16.
using Waveform =
    std::variant<std::span<const float>, std::span<const double>, std::span<const int16_t>, std::span<const Float16>>;

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
  std::vector<int64_t> labels;          ///< as long as input_ids; kIgnoredLabel where no loss is taken
  Waveform waveform;                    ///< may carry padding behind audio_length
  int64_t audio_length = 0;             ///< samples of the clip itself
};

/// Tokens of the sample that the loss counts: labelled ones with a real token before them to predict them from.
int64_t label_tokens(const Sample& sample);

/// Tokens of the sample without its padding, those of its sound among them.
int64_t token_count(const Sample& sample);

/// What makes the sample useless in training, if anything: a value of the sound that is no finite number (it would make
/// every weight NaN).
std::optional<std::string> sound_fault(const Sample& sample);

/// sound_fault(), or that no token is labelled, so that there is nothing to learn.
std::optional<std::string> sample_fault(const Sample& sample);

}  // namespace mdl::worker::dataset

#include "worker/dataset/sample.hpp"

#include <algorithm>
#include <cmath>

#include "common/str_cat.hpp"

namespace mdl::worker::dataset {

int64_t label_tokens(const Sample& sample) {
  int64_t count = 0;
  for (size_t t = 1; t < sample.labels.size(); ++t) {
    if (sample.labels[t] != kIgnoredLabel && sample.attention_mask[t - 1] != 0) { ++count; }
  }
  return count;
}

int64_t token_count(const Sample& sample) {
  return std::ranges::count_if(sample.attention_mask, [](int64_t value) { return value != 0; });
}

std::optional<std::string> sound_fault(const Sample& sample) {
  return std::visit(
      [](const auto& values) -> std::optional<std::string> {
        const auto broken = std::find_if(values.begin(), values.end(),
                                         [](auto value) { return !std::isfinite(static_cast<double>(value)); });
        if (broken == values.end()) { return std::nullopt; }
        return str_cat("sound sample ", broken - values.begin(), " is ", static_cast<double>(*broken));
      },
      sample.waveform);
}

std::optional<std::string> sample_fault(const Sample& sample) {
  if (auto fault = sound_fault(sample)) { return fault; }
  return label_tokens(sample) == 0 ? std::optional<std::string>("no token is labelled") : std::nullopt;
}

}  // namespace mdl::worker::dataset

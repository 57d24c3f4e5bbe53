#pragma once

#include <string>
#include <vector>

namespace mdl::worker::metrics {

/// Numbers that are spelt out in English, in figures: "twenty five thousand dollars" is "$25000", "two point five
/// percent" "2.5%", "the twenty first" "the 21st". The rules are those of Whisper's normaliser (transformers'
/// EnglishNumberNormalizer), which makes texts comparable, not correct. Numbers of more than 30 digits stay texts.
std::string figures_for_numbers(const std::string& text);

}  // namespace mdl::worker::metrics

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::metrics {

/// Edits over what they are counted on, added up over texts: WER and CER as jiwer has them.
struct ErrorRate {
  std::int64_t edits = 0;  ///< insertions, deletions and substitutions
  std::int64_t units = 0;  ///< of the references

  double rate() const;  ///< edits / units; of no units the edits themselves
};

/// The fewest edits that make `hypothesis` of `reference` (Levenshtein's distance).
std::int64_t edit_distance(const std::vector<std::u32string>& reference, const std::vector<std::u32string>& hypothesis);
std::int64_t edit_distance(std::u32string_view reference, std::u32string_view hypothesis);

/// Adds one text, as words between white space (UTF-8) or as characters.
void add_words(ErrorRate& rate, const std::string& reference, const std::string& hypothesis);
void add_characters(ErrorRate& rate, std::u32string_view reference, std::u32string_view hypothesis);

}  // namespace mdl::worker::metrics

#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace mdl::worker::metrics {

/// English text in the form in which its words are compared for a word error rate: what transformers'
/// EnglishTextNormalizer (Whisper's) makes of it. Small letters, no brackets and hesitations, contractions written out,
/// numbers in figures, no punctuation.
class EnglishText {
 public:
  /// `spellings`: words and what is written for them ("colour": "color"), as normalizer.json of a Whisper tokenizer has
  /// them.
  explicit EnglishText(std::map<std::string, std::string> spellings = {}) : spellings_(std::move(spellings)) {}

  std::string normalize(const std::string& text) const;

 private:
  std::map<std::string, std::string> spellings_;
};

/// Reads a normalizer.json: an object of words. Throws UsageError naming the file.
std::map<std::string, std::string> read_spellings(const std::filesystem::path& file);

}  // namespace mdl::worker::metrics

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::text::tokenizer {

/// Writes a pattern of tokenizer.json (Oniguruma's Ruby syntax) in PCRE2's. The two agree on what such patterns use,
/// except that PCRE2's \s also takes U+180E; \s and \S are therefore written out. Throws Error for what would mean
/// something else: \w, \b, \h, POSIX brackets, nested or intersected classes.
std::string to_pcre2_syntax(std::string_view pattern);

/// A compiled pattern that cuts texts into words. Immutable, so threads may share it.
class WordPattern {
 public:
  /// `pattern` as tokenizer.json has it. Throws Error when it cannot be compiled, with the place.
  explicit WordPattern(std::string_view pattern);

  /// The matches and the stretches between them, in order; together they are `text`, which must be well-formed UTF-8
  /// and must outlive the result (behaviour "Isolated" of Hugging Face's Split).
  std::vector<std::string_view> cut(std::string_view text) const;

 private:
  std::shared_ptr<const void> code_;
  std::string pattern_;
};

}  // namespace mdl::worker::text::tokenizer

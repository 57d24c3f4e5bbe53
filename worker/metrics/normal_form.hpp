#pragma once

#include <string>

namespace mdl::worker::metrics {

// Forms of an answer in which it is compared with what it should be. Texts are UTF-8; ill-formed bytes become U+FFFD.

/// Without white space around it: exact-match.
std::string stripped(const std::string& text);

/// NFKC, in small letters, white space joined, without a stop at the end: accuracy, which compares labels.
std::string label_form(const std::string& text);

/// NFKC, without punctuation (Unicode's categories P), white space joined: CER.
std::u32string character_form(const std::string& text);

/// Python's str.lower() but for the sigma at a word's end.
std::string lower(const std::string& text);

/// NFKD; diacritics go, other marks, symbols and punctuation but those of `keep` become blanks, and letters such as ø
/// become plain ones: what Whisper's normaliser does.
std::string without_symbols_and_diacritics(const std::string& text, const std::u32string& keep);

}  // namespace mdl::worker::metrics

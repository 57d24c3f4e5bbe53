#pragma once

#include <string>
#include <string_view>

namespace mdl::worker::text {

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool is_utf8(std::string_view text);

/// Unicode Normalization Form C of a well-formed UTF-8 text. Throws Error when `text` is not well-formed.
/// Hugging Face's tokenizers do the same but for 98 rare characters: see
/// tests/peer/convert/test_worker_convert_text.py.
std::string normalize_nfc(std::string_view text);

/// `bytes` as UTF-8: every ill-formed sequence becomes U+FFFD, one for each maximal part of a sequence that begins well
/// (Unicode 15, chapter 3.9, as Rust's and Python's decoders do).
std::string to_utf8_lossy(std::string_view bytes);

/// Appends one code point. `code_point` is a Unicode scalar value.
void append_utf8(std::string& text, char32_t code_point);

/// The code points of a well-formed text.
std::u32string to_code_points(std::string_view text);

/// The UTF-8 text of code points.
std::string to_utf8(std::u32string_view code_points);

/// White space as Unicode defines it (property White_Space), and as Python's str.strip() takes it: also U+001C to
/// U+001F.
bool is_python_space(char32_t code_point);

}  // namespace mdl::worker::text

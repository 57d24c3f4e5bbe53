#include "worker/text/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "common/error.hpp"

namespace mdl::worker::text {
namespace {

/// Reads one code point. `length` is how many bytes belong together: to the code point, or to the ill-formed part.
struct Decoded {
  bool well_formed;
  std::size_t length;
  char32_t code_point;
};

Decoded decode_one(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) { return {true, 1, lead}; }
  // The range of the second byte excludes overlong forms, surrogates and what lies above U+10FFFF.
  std::size_t need = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    need = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    need = 2;
    if (lead == 0xE0) { low = 0xA0; }
    if (lead == 0xED) { high = 0x9F; }
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    need = 3;
    if (lead == 0xF0) { low = 0x90; }
    if (lead == 0xF4) { high = 0x8F; }
  } else {
    return {false, 1, 0};
  }
  char32_t value = lead & (0x3F >> need);
  for (std::size_t i = 1; i <= need; ++i) {
    if (i >= bytes.size() || byte(i) < low || byte(i) > high) { return {false, i, 0}; }
    value = (value << 6) | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {true, need + 1, value};
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

std::string compose(std::string_view text) {
  utf8proc_uint8_t* raw = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &raw, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  if (length < 0) { throw Error(std::string("cannot normalise a text: ") + utf8proc_errmsg(length)); }
  return {reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length)};
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Decoded next = decode_one(text);
    if (!next.well_formed) { return false; }
    text.remove_prefix(next.length);
  }
  return true;
}

std::string normalize_nfc(std::string_view text) {
  // utf8proc 2.8 composes a Hangul syllable with the vowel U+11A7 after it, and loses the vowel. That vowel composes
  // with nothing, so what is before and after it can be normalised apart.
  constexpr std::string_view kVowel = "\u11a7";
  if (is_ascii(text)) { return std::string(text); }
  std::string normalized;
  for (;;) {
    const auto at = text.find(kVowel);
    normalized += compose(text.substr(0, at));
    if (at == std::string_view::npos) { return normalized; }
    normalized += kVowel;
    text.remove_prefix(at + kVowel.size());
  }
}

std::string to_utf8_lossy(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const Decoded next = decode_one(bytes);
    if (next.well_formed) {
      text.append(bytes.substr(0, next.length));
    } else {
      append_utf8(text, 0xFFFD);
    }
    bytes.remove_prefix(next.length);
  }
  return text;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::u32string to_code_points(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    const Decoded next = decode_one(text);
    points += next.well_formed ? next.code_point : 0xFFFD;
    text.remove_prefix(next.length);
  }
  return points;
}

std::string to_utf8(std::u32string_view code_points) {
  std::string text;
  for (const char32_t point : code_points) { append_utf8(text, point); }
  return text;
}

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace mdl::worker::text

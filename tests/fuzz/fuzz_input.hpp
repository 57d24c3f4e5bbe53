#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Each program of this folder defines this one function: it gives one input to the parser that the file is named by,
/// and returns, whatever the input is. A crash, a sanitizer's report or a broken claim ends the process.
///
/// With -DMDL_FUZZ=ON (clang) libFuzzer calls it with inputs of its own, see scripts/fuzz.sh. In every other build
/// replay_main.cpp calls it once with each file of corpus/NAME, which is a test.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mdl::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A claim that must hold for every input.
inline void claim(bool holds, const char* what) {
  if (holds) { return; }
  std::fprintf(stderr, "broken claim: %s\n", what);
  std::abort();
}

/// That a text which may be quoted in a line is bounded, and steers no terminal: no control characters but tabs.
inline void claim_printable(std::string_view text, std::size_t most) {
  claim(text.size() <= most, "a text is bounded");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    claim(byte == '\t' || (byte >= 0x20 && byte != 0x7f), "a text steers no terminal");
    claim(byte != 0xc2 || next >= 0xa0, "a text has no control characters of two bytes");
  }
  for (const char* mark : {"\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"}) {
    claim(text.find(mark) == std::string_view::npos, "a text does not turn the direction of writing");
  }
}

/// The same of each line of a text.
inline void claim_printable_lines(std::string_view text, std::size_t most) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    claim_printable(text.substr(0, end), most);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace mdl::fuzz

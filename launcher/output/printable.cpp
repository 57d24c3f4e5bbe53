#include "launcher/output/printable.hpp"

#include <algorithm>

#include "common/log.hpp"

namespace mdl::launcher::output {
namespace {

constexpr unsigned char kEscape = 0x1b;

unsigned char byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

/// How many bytes the UTF-8 character at `i` has; 0 when there is none.
std::size_t character_size(std::string_view text, std::size_t i) {
  const unsigned char first = byte_at(text, i);
  if (first < 0x80) { return 1; }
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) { return 0; }
  // Longer than need be, half of a surrogate pair, or above U+10FFFF.
  const unsigned char second = byte_at(text, i + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) { return 0; }
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) { return 0; }
  for (std::size_t k = 1; k < size; ++k) {
    if ((byte_at(text, i + k) & 0xc0) != 0x80) { return 0; }
  }
  return size;
}

/// The index after "ESC [ … letter".
std::size_t skip_sequence(std::string_view text, std::size_t i) {
  i += 2;
  while (i < text.size() && (text[i] < '@' || text[i] > '~')) { ++i; }
  return i + 1;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (byte_at(text, i) == kEscape && byte_at(text, i + 1) == '[') {
      i = skip_sequence(text, i);
      continue;
    }
    const std::size_t size = character_size(text, i);
    if (text[i] == '\n' && result.size() < most) { result += ' '; }
    if (size > 0 && text[i] != '\n' && !log::steers_terminal(text.substr(i, size))) {
      if (result.size() + size > most) { break; }
      result += text.substr(i, size);
    }
    i += std::max<std::size_t>(size, 1);
  }
  return result;
}

}  // namespace mdl::launcher::output

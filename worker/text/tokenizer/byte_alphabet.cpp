#include "worker/text/tokenizer/byte_alphabet.hpp"

#include <array>

#include "worker/text/unicode.hpp"

namespace mdl::worker::text::tokenizer {
namespace {

constexpr int kCodePoints = 256 + 68;  // 188 bytes stand for themselves, 68 do not

struct Alphabet {
  std::array<std::string, 256> printable;
  std::array<int, kCodePoints> byte;  // by code point; -1 where there is none

  Alphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool itself = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t point = itself ? static_cast<char32_t>(b) : next++;
      append_utf8(printable[static_cast<std::size_t>(b)], point);
      byte[point] = b;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view printable_of(unsigned char byte) {
  return alphabet().printable[byte];
}

std::optional<std::string> bytes_of_printable(std::string_view token) {
  std::string bytes;
  for (const char32_t point : to_code_points(token)) {
    const int byte = point < kCodePoints ? alphabet().byte[point] : -1;
    if (byte < 0) { return std::nullopt; }
    bytes += static_cast<char>(static_cast<unsigned char>(byte));
  }
  return bytes;
}

}  // namespace mdl::worker::text::tokenizer

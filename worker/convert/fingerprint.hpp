#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mdl {

/// A 64-bit FNV-1a hash of all that was added. Tells whether a conversion goes on from the same input; not meant
/// against anyone who would forge one.
class Fingerprint {
 public:
  /// Lengths are part of it, so that ("ab", "c") and ("a", "bc") differ.
  void add(std::string_view bytes) {
    add(static_cast<std::int64_t>(bytes.size()));
    for (const char byte : bytes) mix(static_cast<unsigned char>(byte));
  }
  void add(std::int64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
      mix(static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> shift));
  }

  /// 16 hex digits.
  std::string hex() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash_ >> shift) & 15];
    return digits;
  }

 private:
  void mix(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace mdl

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mdl::worker::dataset {

/// A 64-bit hash of all that was added: FNV-1a's steps on words of eight bytes, each stirred. Tells whether a
/// conversion goes on from the same input; not meant against anyone who would forge one.
class Fingerprint {
 public:
  /// Lengths are part of it, so that ("ab", "c") and ("a", "bc") differ.
  void add(std::string_view bytes) {
    add(static_cast<std::int64_t>(bytes.size()));
    for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) { mix(word(bytes)); }
    if (!bytes.empty()) { mix(word(bytes)); }
  }
  void add(std::int64_t value) { mix(static_cast<std::uint64_t>(value)); }

  /// 16 hex digits.
  std::string hex() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) { digits += "0123456789abcdef"[(hash_ >> shift) & 15]; }
    return digits;
  }

 private:
  /// The first eight bytes, with zeros after fewer.
  static std::uint64_t word(std::string_view bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
  }
  // A product carries only upwards; the shift brings what the high bits know down to the low ones.
  void mix(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15ULL;
    hash_ ^= hash_ >> 32;
  }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace mdl::worker::dataset

#pragma once

#include <catch2/catch.hpp>
#include <cstddef>

/// What a test that measures its own process must know of the sanitizers.
namespace mdl::test {

/// The most memory for `bytes` of the program's: a sanitizer has some of its own for each of them, and AddressSanitizer
/// keeps what has been freed, up to 256 MiB.
inline std::size_t with_sanitizers_own(std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  return 8 * bytes + (std::size_t{256} << 20);
#elif defined(__SANITIZE_THREAD__)
  return 8 * bytes;
#else
  return bytes;
#endif
}

/// UndefinedBehaviorSanitizer opens pipes to look at objects with virtual functions, and ends the program where it
/// cannot: it is no judge of what happens without descriptors. Whether it is there; says that the test case is left
/// out.
inline bool sanitizer_needs_descriptors() {
#if defined(__SANITIZE_ADDRESS__)
  WARN("left out under AddressSanitizer and UndefinedBehaviorSanitizer, which need descriptors themselves");
  return true;
#else
  return false;
#endif
}

}  // namespace mdl::test

// What GCC 12's static run-time library expects of the C library, and Debian 11's does not have. Only in builds with
// cmake/portable.cmake, for which this is the whole list: the linker refuses whatever else is missing.

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

extern "C" {

/// Whether there is only one thread, so that reference counts need no atomic operations (glibc 2.32). "No" is always
/// right.
extern const char __libc_single_threaded = 0;

/// Random bits (glibc 2.36), of std::random_device.
std::uint32_t arc4random() {
  std::uint32_t bits = 0;
  while (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    if (errno != EINTR) { std::abort(); }  // as glibc's does: there is no good answer
  }
  return bits;
}
}

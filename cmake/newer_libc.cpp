// What GCC 12's static run-time library expects of the C library, and older ones do not have: Debian 11's in builds
// with cmake/portable.cmake, for which this is the whole list (the linker refuses whatever else is missing), and
// glibc 2.34 for mdl-toolkit.

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

extern "C" {

#ifndef MDL_GLIBC_2_32
/// Whether there is only one thread, so that reference counts need no atomic operations. "No" is always right. A C
/// library that has it writes to it.
extern const char __libc_single_threaded = 0;
#endif

/// Random bits (glibc 2.36), of std::random_device.
std::uint32_t arc4random() {
  std::uint32_t bits = 0;
  while (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    if (errno != EINTR) { std::abort(); }  // as glibc's does: there is no good answer
  }
  return bits;
}
}

#include "common/standard_streams.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace {

/// In a copy of this process: closes those of 0, 1, 2 that are in `closed`, and tells which are /dev/null afterwards.
int filled(int closed) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int fd = 0; fd <= 2; ++fd) {
      if (closed >> fd & 1) { ::close(fd); }
    }
    mdl::open_closed_standard_streams();
    struct stat null{};
    ::stat("/dev/null", &null);
    int found = 0;
    for (int fd = 0; fd <= 2; ++fd) {
      struct stat info{};
      const bool is_null = (closed >> fd & 1) && ::fstat(fd, &info) == 0 && info.st_rdev == null.st_rdev;
      found |= is_null << fd;
    }
    ::_exit(found);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("whichever of the standard descriptors are closed, /dev/null takes their place") {
  for (int closed = 0; closed < 8; ++closed) { CHECK(filled(closed) == closed); }
}

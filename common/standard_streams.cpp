#include "common/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace mdl {
namespace {

/// The lowest free descriptor, opened; -1 when the system has none.
int placeholder() {
  const int fd = ::open("/dev/null", O_RDWR);
  if (fd >= 0) { return fd; }
  int ends[2];
  if (::pipe(ends) != 0) { return -1; }
  // A pipe without a reader makes writing an error, one without a writer makes reading an end of file.
  ::close(ends[1]);
  return ends[0];
}

}  // namespace

void open_closed_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    const bool closed = ::fcntl(fd, F_GETFD) < 0 && errno == EBADF;
    if (closed && placeholder() < 0) {
      return;  // the lower ones are open: it has got this number
    }
  }
}

}  // namespace mdl

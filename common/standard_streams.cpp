#include "common/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>

#include "common/error.hpp"

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

/// The other end of the pipe, socket or terminal is closed.
bool is_reader_gone() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP));
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

void require_written_output() {
  errno = 0;
  std::cout.flush();  // into the buffer of stdout
  const bool flushed = std::fflush(stdout) == 0;
  const int error = errno;
  if ((flushed && std::cout && !std::ferror(stdout)) || is_reader_gone()) { return; }
  if (error == 0) { throw Error("cannot write all of the output"); }  // an earlier write failed
  throw Error(describe_errno("cannot write", "the output", error));
}

}  // namespace mdl

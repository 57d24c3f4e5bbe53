#include "launcher/output/worker_terminal.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"

namespace mdl::launcher::output {
namespace {

/// Empty ends when the system has no pseudo-terminals (no /dev/pts, or all in use).
WorkerPipe make_terminal(int like_fd) {
  WorkerPipe ends;
  ends.read_end.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 64> name{};
  if (!ends.read_end || ::grantpt(ends.read_end.get()) != 0 || ::unlockpt(ends.read_end.get()) != 0 ||
      ::ptsname_r(ends.read_end.get(), name.data(), name.size()) != 0) {
    return {};
  }
  ends.write_end.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings{};
  if (!ends.write_end || ::tcgetattr(ends.write_end.get(), &settings) != 0) { return {}; }
  ::cfmakeraw(&settings);
  if (::tcsetattr(ends.write_end.get(), TCSANOW, &settings) != 0) { return {}; }
  copy_terminal_size(like_fd, ends.read_end.get());
  return ends;
}

}  // namespace

void copy_terminal_size(int terminal_fd, int read_end) {
  winsize size{};
  if (::ioctl(terminal_fd, TIOCGWINSZ, &size) == 0) { ::ioctl(read_end, TIOCSWINSZ, &size); }
}

WorkerPipe make_worker_pipe(int destination_fd) {
  WorkerPipe ends;
  if (::isatty(destination_fd)) { ends = make_terminal(destination_fd); }
  if (!ends.read_end) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
      throw Error(describe_errno("cannot create a pipe for", "a worker's output", errno),
                  "Each worker needs two open files: raise the limit with ulimit -n.");
    }
    ends.read_end.reset(fds[0]);
    ends.write_end.reset(fds[1]);
  }
  ::fcntl(ends.read_end.get(), F_SETFL, O_NONBLOCK);
  return ends;
}

}  // namespace mdl::launcher::output

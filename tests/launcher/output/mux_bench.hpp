#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "common/unique_fd.hpp"
#include "launcher/output/left_stream.hpp"
#include "launcher/output/output_mux.hpp"
#include "tests/temp_dir.hpp"

namespace mdl::test {

using launcher::output::LeftStream;
using launcher::output::OutputMux;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
};

inline void put(const UniqueFd& fd, std::string_view text) {
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

inline std::string get_available(const UniqueFd& fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  ssize_t n;
  while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

inline std::string get_all(const UniqueFd& fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  ssize_t n;
  while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

/// A terminal, and the side of it that shows what is written to `end`.
struct Terminal {
  UniqueFd primary{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  UniqueFd end;
  Terminal() {
    REQUIRE(primary);
    REQUIRE(::unlockpt(primary.get()) == 0);
    end.reset(::open(::ptsname(primary.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(end);
  }
  void resize(int rows, int columns) const {
    winsize size{};
    size.ws_row = static_cast<unsigned short>(rows);
    size.ws_col = static_cast<unsigned short>(columns);
    REQUIRE(::ioctl(end.get(), TIOCSWINSZ, &size) == 0);
  }
};

/// Rows and columns of a terminal.
inline std::pair<int, int> size_of(const UniqueFd& terminal) {
  winsize size{};
  REQUIRE(::ioctl(terminal.get(), TIOCGWINSZ, &size) == 0);
  return {size.ws_row, size.ws_col};
}

/// An OutputMux whose destinations are pipes of the test.
struct Bench {
  asio::io_context io;
  Pipe out;
  Pipe err;
  std::optional<OutputMux> mux{std::in_place, io, out.write_end.get(), err.write_end.get()};

  void run_ready() {
    io.restart();
    while (io.poll() > 0) {}
  }
  /// For more than fits into the pipe at once.
  std::string written_to_out() {
    std::string text;
    for (std::string more; !(more = get_available(out.read_end)).empty(); run_ready()) { text += more; }
    return text;
  }
  template <typename Start>
  void wait_for(Start start) {
    bool done = false;
    asio::co_spawn(io, start, [&](const std::exception_ptr&) { done = true; });
    io.restart();
    while (!done && io.run_one() > 0) {}
  }
  void finish() {
    wait_for([&]() -> asio::awaitable<void> { co_await mux->finish(); });
  }
  /// As another process gets them.
  std::vector<LeftStream> hand_over() {
    std::vector<LeftStream> left;
    wait_for([&]() -> asio::awaitable<void> { co_await mux->hand_over(left); });
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd sender(ends[0]);
    const UniqueFd receiver(ends[1]);
    std::vector<LeftStream> received;
    for (LeftStream& stream : left) {
      REQUIRE(send_left_stream(sender.get(), stream) == 0);
      stream = {};
      received.push_back(launcher::output::receive_left_stream(receiver.get()));
    }
    return received;
  }
};

}  // namespace mdl::test

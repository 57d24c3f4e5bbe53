#include "common/log.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "common/unique_fd.hpp"

using mdl::log::escaped;

namespace {

/// A terminal of so many columns as stderr, for as long as this lives.
class StderrTerminal {
 public:
  explicit StderrTerminal(unsigned short columns) {
    REQUIRE(::unlockpt(shown_.get()) == 0);
    const mdl::UniqueFd end(::open(::ptsname(shown_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    winsize size{};
    size.ws_col = columns;
    REQUIRE(::ioctl(end.get(), TIOCSWINSZ, &size) == 0);
    ::dup2(end.get(), STDERR_FILENO);
  }
  ~StderrTerminal() { ::dup2(saved_.get(), STDERR_FILENO); }

  /// What has come since the last call. (A terminal makes \r\n of \n.)
  std::string shown() const {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::read(shown_.get(), buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(n > 0 ? n : 0)};
  }

 private:
  mdl::UniqueFd saved_{::dup(STDERR_FILENO)};
  mdl::UniqueFd shown_{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
};

}  // namespace

TEST_CASE("what is told cannot steer a terminal") {
  CHECK(escaped("a\tb\nc") == "a\tb\nc");
  CHECK(escaped("x\x1b[31m\x07\x7f\r") == "x\\x1b[31m\\x07\\x7f\\x0d");
  CHECK(escaped("\u009b1m") == "\\xc2\\x9b1m");
  CHECK(escaped("evil\u202etxt") == "evil\\xe2\\x80\\xaetxt");
  CHECK(escaped("n\u00e4me \u58f0\u97f3 \xff") == "n\u00e4me \u58f0\u97f3 \xff");
}

TEST_CASE("a status line is rewritten in place, stands below what is told meanwhile, and goes without a trace") {
  using namespace mdl::log;
  const StderrTerminal terminal(20);
  CHECK(status_columns() == 19);
  show_status("waiting 10 s");
  CHECK(terminal.shown() == "waiting 10 s");
  show_status("waiting 10 s");
  CHECK(terminal.shown().empty());
  show_status("waiting\n9 s\x1b[2J, and much more");
  CHECK(terminal.shown() == "\r            \rwaiting 9 s\\x1b[2J,");
  write(Level::news, "told");
  const std::string told = terminal.shown();
  CHECK(told.starts_with("\r                   \r["));
  CHECK(told.ends_with(" told\r\nwaiting 9 s\\x1b[2J,"));
  show_status("");
  CHECK(terminal.shown() == "\r                   \r");
  show_status("\u8bad\u7ec3\u8bad\u7ec3\u8bad\u7ec3\u8bad\u7ec3\u8bad\u7ec3");
  CHECK(terminal.shown() == "\u8bad\u7ec3\u8bad\u7ec3\u8bad\u7ec3\u8bad\u7ec3\u8bad");
  show_status("");
}

TEST_CASE("where stderr is no terminal there is no status line") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const mdl::UniqueFd read_end(ends[0]);
  const mdl::UniqueFd saved(::dup(STDERR_FILENO));
  ::dup2(ends[1], STDERR_FILENO);
  ::close(ends[1]);
  CHECK(mdl::log::status_columns() == 0);
  mdl::log::show_status("waiting");
  mdl::log::show_status("");
  ::dup2(saved.get(), STDERR_FILENO);
  char byte = 0;
  CHECK(::read(read_end.get(), &byte, 1) == 0);
}

#include "launcher/output/worker_terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <utility>

#include "tests/launcher/output/mux_bench.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using namespace mdl::launcher::output;
using namespace mdl::test;

TEST_CASE("a worker of a launcher on a terminal sees a terminal of the same size that changes no byte") {
  const Terminal terminal;
  terminal.resize(33, 77);

  const WorkerPipe pipe = make_worker_pipe(terminal.end.get());
  CHECK(::isatty(pipe.write_end.get()));
  CHECK(size_of(pipe.write_end) == std::pair(33, 77));
  put(pipe.write_end, "a\nb\r\x03");
  std::string passed;
  CHECK(becomes_true([&] { return (passed += get_available(pipe.read_end)) == "a\nb\r\x03"; }));
  CHECK_FALSE(::isatty(make_worker_pipe(::open("/dev/null", O_WRONLY | O_CLOEXEC)).write_end.get()));
}

TEST_CASE("when the launcher's terminal changes its size, those of the workers that write to it follow") {
  const Terminal terminal;
  terminal.resize(33, 77);
  TempDir dir;
  std::filesystem::create_directories(dir.path() / "1");
  LogOptions logs;
  logs.redirects.by_local_rank[1] = 3;
  asio::io_context io;
  Pipe err;
  OutputMux mux(io, terminal.end.get(), err.write_end.get());
  const auto ends = mux.open_streams(2, logs, dir.path());
  // What is written to a terminal is on the other side a little later.
  std::string shown;
  const auto shows = [&](const std::string& text) {
    return becomes_true([&] {
      io.poll();
      shown += get_available(terminal.primary);
      return shown == text;
    });
  };
  put(ends[0].out, "10%\r");
  CHECK(shows("10%\r"));
  for (const auto& size : {std::pair(40, 120), std::pair(12, 34)}) {
    terminal.resize(size.first, size.second);
    ::raise(SIGWINCH);  // as the kernel does for who has the terminal as its own
    CHECK(becomes_true([&] {
      io.poll();
      return size_of(ends[0].out) == size;
    }));
  }
  CHECK_FALSE(::isatty(ends[0].err.get()));
  put(ends[0].out, "20%\r");
  CHECK(shows("10%\r20%\r"));
}

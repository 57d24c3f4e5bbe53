#include "launcher/output/output_mux.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <future>
#include <thread>
#include <utility>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/output_destination.hpp"
#include "launcher/output/output_relay.hpp"
#include "tests/launcher/output/mux_bench.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using namespace mdl::launcher::output;
using namespace mdl::test;

TEST_CASE("a single worker's output passes byte for byte and at once, unfinished lines included") {
  Bench bench;
  const auto ends = bench.mux->open_streams(1);
  const std::string bytes("no newline \0 \xff\r 10%", 19);
  put(ends[0].out, bytes);
  bench.run_ready();
  CHECK(get_available(bench.out.read_end) == bytes);
  put(ends[0].err, "to stderr");
  bench.run_ready();
  CHECK(get_available(bench.err.read_end) == "to stderr");
  CHECK(get_available(bench.out.read_end).empty());
}

TEST_CASE("lines of two workers never mix, and each comes whole") {
  Bench bench;
  const auto ends = bench.mux->open_streams(2);
  put(ends[0].out, "first half, ");
  bench.run_ready();
  put(ends[1].out, "the other's line\nand ");
  bench.run_ready();
  put(ends[0].out, "second half\n");
  bench.run_ready();
  CHECK(get_available(bench.out.read_end) == "the other's line\nfirst half, second half\n");
  bench.finish();
  CHECK(get_available(bench.out.read_end) == "and ");
}

TEST_CASE("an unfinished line is passed on after a short while, and ended only if another worker writes") {
  Bench bench;
  const auto ends = bench.mux->open_streams(2);
  put(ends[0].out, "Continue? ");
  bench.io.restart();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string seen;
  while (seen.empty() && std::chrono::steady_clock::now() < deadline) {
    bench.io.run_one_for(std::chrono::milliseconds(50));
    seen = get_available(bench.out.read_end);
  }
  CHECK(seen == "Continue? ");
  put(ends[0].out, "yes\n");
  bench.run_ready();
  CHECK(get_available(bench.out.read_end) == "yes\n");
  for (int i = 0; i < 2; ++i) {
    put(ends[0].out, std::string(40'000, 'x'));
    bench.run_ready();
  }
  CHECK(bench.written_to_out() == std::string(80'000, 'x'));  // longer than a held line may be
  put(ends[1].out, "mine\n");
  bench.run_ready();
  CHECK(get_available(bench.out.read_end) == "\nmine\n");
}

TEST_CASE("the last lines of stderr are remembered for each worker, those of stdout are not") {
  Bench bench;
  const auto ends = bench.mux->open_streams(2);
  put(ends[1].err, "Traceback\nboom\n");
  put(ends[1].out, "fine\n");
  bench.finish();
  CHECK(bench.mux->last_stderr_lines(1) == std::vector<std::string>{"Traceback", "boom"});
  CHECK(bench.mux->last_stderr_lines(0).empty());
}

TEST_CASE("what a worker left in its pipe when it died is passed on") {
  Bench bench;
  auto ends = bench.mux->open_streams(1);
  put(ends[0].out, std::string(50'000, 'y'));
  ends.clear();
  bench.finish();
  CHECK(get_available(bench.out.read_end).size() == 50'000);
}

TEST_CASE("a tee'd stream goes to its file unchanged and to the console line by line with a prefix") {
  TempDir dir;
  std::filesystem::create_directories(dir.path() / "0");
  std::filesystem::create_directories(dir.path() / "1");
  LogOptions logs;
  logs.tee.for_all = 1;
  logs.duplicate_filters[0] = {"apple", "pear"};
  Bench bench;
  const auto ends = bench.mux->open_streams(2, logs, dir.path(), {"[a0]:", "[a1]:"});
  put(ends[0].out, "one\n 10%\r 20%\r\nan ap");
  put(ends[1].out, "a pear\n");
  bench.run_ready();
  put(ends[0].out, "ple");
  put(ends[0].err, "not tee'd\n");
  bench.finish();
  const std::string console = get_available(bench.out.read_end);
  for (const char* line : {"[a0]:one\n", "[a0]: 10%\n", "[a0]: 20%\n", "[a1]:a pear\n", "[a0]:an apple"}) {
    CHECK_THAT(console, Catch::Contains(line));
  }
  CHECK(std::count(console.begin(), console.end(), '\n') == 4);
  CHECK(read_text(dir.path() / "0/stdout.log") == "one\n 10%\r 20%\r\nan apple");
  CHECK_THAT(read_text(dir.path() / "filtered_stdout.log"),
             Catch::Contains("[a1]:a pear\n") && Catch::Contains("[a0]:an apple"));
  CHECK(get_available(bench.err.read_end) == "not tee'd\n");
  CHECK_FALSE(std::filesystem::exists(dir.path() / "0/stderr.log"));
}

TEST_CASE("streams that somebody holds open are relayed by another process exactly from where they were") {
  TempDir dir;
  std::filesystem::create_directories(dir.path() / "0");
  std::filesystem::create_directories(dir.path() / "1");
  LogOptions logs;
  logs.tee.for_all = 1;
  logs.duplicate_filters[0] = {"apple"};
  Bench bench;
  auto ends = bench.mux->open_streams(2, logs, dir.path(), {"[a0]:", "[a1]:"});
  put(ends[0].out, "an ap");
  put(ends[0].err, "cut in a letter: \xc3");
  put(ends[1].err, "done\n");
  ends[1] = {};
  std::vector<LeftStream> left = bench.hand_over();
  bench.finish();
  CHECK(left.size() == 2);  // those of worker 1 have ended
  CHECK(bench.mux->has_ended(1));

  bench.mux.reset();
  bench.out.write_end.reset();
  bench.err.write_end.reset();
  auto relay = std::async(std::launch::async, [&] { relay_output(std::move(left)); });
  put(ends[0].out, "ple\n");
  put(ends[0].out, "a pear\n");
  ends[0].out.reset();
  CHECK(get_all(bench.out.read_end) == "[a0]:an apple\n[a0]:a pear\n");  // to its end, while stderr goes on
  put(ends[0].err, "\xa4\n");
  ends[0].err.reset();
  CHECK(get_all(bench.err.read_end) == "done\ncut in a letter: \xc3\xa4\n");
  relay.get();
  CHECK(read_text(dir.path() / "0/stdout.log") == "an apple\na pear\n");
  CHECK(read_text(dir.path() / "filtered_stdout.log") == "[a0]:an apple\n");
}

TEST_CASE("what hands over a stream and is something else is an error") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  UniqueFd sender(ends[0]);
  const UniqueFd receiver(ends[1]);
  put(sender, "not this");
  CHECK_THROWS_AS(receive_left_stream(receiver.get()), Error);
  sender.reset();
  CHECK_THROWS_AS(receive_left_stream(receiver.get()), Error);
}

TEST_CASE("a redirected stream goes to its file only, and its last lines are known all the same") {
  TempDir dir;
  std::filesystem::create_directories(dir.path() / "0");
  LogOptions logs;
  logs.redirects.for_all = 3;
  Bench bench;
  const auto ends = bench.mux->open_streams(1, logs, dir.path());
  put(ends[0].err, "Traceback\nboom\n");
  bench.finish();
  CHECK(read_text(dir.path() / "0/stderr.log") == "Traceback\nboom\n");
  CHECK(bench.mux->last_stderr_lines(0) == std::vector<std::string>{"Traceback", "boom"});
  CHECK(get_available(bench.err.read_end).empty());
}

TEST_CASE("a worker that the ranks filter hides is still read, and its last words are remembered") {
  LogOptions logs;
  logs.local_ranks_filter = {1};
  Bench bench;
  const auto ends = bench.mux->open_streams(2, logs);
  put(ends[0].err, "hidden\n");
  put(ends[1].err, "shown\n");
  bench.finish();
  CHECK(get_available(bench.err.read_end) == "shown\n");
  CHECK(bench.mux->last_stderr_lines(0) == std::vector<std::string>{"hidden"});
}

TEST_CASE("a reader that does not read slows the worker down, and the launcher keeps little") {
  Bench bench;
  const auto ends = bench.mux->open_streams(1);
  ::fcntl(ends[0].out.get(), F_SETFL, O_NONBLOCK);
  const std::string block(16'384, 'z');
  std::size_t accepted = 0;
  for (int tries = 0; tries < 1000; ++tries) {
    const ssize_t n = ::write(ends[0].out.get(), block.data(), block.size());
    if (n > 0) { accepted += static_cast<std::size_t>(n); }
    bench.run_ready();
  }
  // Two pipes of 64 KiB, the queue's limit, and the read that passed it.
  CHECK(accepted <= 2 * 65'536 + OutputDestination::kQueueLimit + 65'536);
  CHECK(accepted >= OutputDestination::kQueueLimit);

  auto reader = std::async(std::launch::async, [&] { return get_all(bench.out.read_end).size(); });
  bench.finish();
  bench.out.write_end.reset();
  bench.mux.reset();
  CHECK(reader.get() == accepted);
}

TEST_CASE("when the reader of the output has gone, the worker's writes fail as they would without the launcher") {
  ::signal(SIGPIPE, SIG_IGN);
  Bench bench;
  const auto ends = bench.mux->open_streams(1);
  bench.out.read_end.reset();
  put(ends[0].out, "to nobody\n");
  bench.run_ready();
  CHECK(::write(ends[0].out.get(), "x", 1) == -1);
  CHECK(errno == EPIPE);
}

TEST_CASE("stdout and stderr of one worker go to one file in whole lines when they are the same file") {
  asio::io_context io;
  Pipe both;
  const UniqueFd again(::dup(both.write_end.get()));
  OutputMux mux(io, both.write_end.get(), again.get());
  const auto ends = mux.open_streams(2);
  put(ends[0].out, "out ");
  put(ends[1].err, "err\n");
  while (io.poll() > 0) {}
  put(ends[0].out, "put\n");
  while (io.poll() > 0) {}
  CHECK(get_available(both.read_end) == "err\nout put\n");
}

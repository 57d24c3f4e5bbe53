#include "worker/hub/node/node_turn.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "common/uuid.hpp"
#include "tests/rendezvous/stderr_capture.hpp"
#include "worker/hub/node/turn_outcome.hpp"

using namespace mdl;
using namespace mdl::worker::hub::node;

namespace {

/// Returns when that is so.
void wait_until(const std::function<bool()>& is_so) {
  while (!is_so()) { std::this_thread::yield(); }
}

std::optional<std::string> nothing() {
  return std::nullopt;
}

/// How many have connected to the one who works, as the kernel lists them: a socket each, beside his own.
std::size_t waiting_for(const std::string& key) {
  const std::string name = str_cat("@mdl-toolkit-", ::getuid(), "-", key);
  const std::string sockets = read_text("/proc/net/unix");
  std::size_t count = 0;
  for (auto at = sockets.find(name); at != std::string::npos; at = sockets.find(name, at + 1)) { ++count; }
  return count > 0 ? count - 1 : 0;
}

}  // namespace

TEST_CASE("an outcome is sent as a line and understood") {
  CHECK(std::get<std::string>(*parse_outcome(outcome_text("/a \"folder\""))) == "/a \"folder\"");
  const auto told = parse_outcome(outcome_text(UsageError("a \"problem\"\n", "an advice")));
  REQUIRE(told);
  CHECK(std::get<Error>(*told).problem() == "a \"problem\"\n");
  CHECK(std::get<Error>(*told).advice() == "an advice");
  CHECK(std::get<Error>(*told).exit_code() == kExitUsage);
  for (const char* text : {"", "{}", "{}\n", "x\n", "[]\n",
                           R"({"answer": 1})"
                           "\n",
                           R"({"problem": 1})"
                           "\n",
                           R"({"problem": "a"})"
                           "\n"}) {
    INFO(text);
    CHECK_FALSE(parse_outcome(text));
  }
}

TEST_CASE("of many that want the same, one does it, and all have its answer") {
  const std::string key = make_uuid();
  std::atomic<int> works = 0, arrived = 0, told = 0;
  const bool found_later = GENERATE(true, false);  // an answer that nobody finds afterwards is one all the same
  std::atomic<bool> done = false;
  const auto want = [&] {
    ++arrived;
    const std::string answer = take_turns(
        key, "working", [&] { return found_later && done ? std::optional<std::string>("found") : std::nullopt; },
        [&] {
          wait_until([&] { return arrived == 8 && waiting_for(key) == 7; });
          ++works;
          done = true;
          return std::string("made");
        });
    told += answer == (found_later ? "found" : "made") || answer == "made" ? 1 : 0;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) { threads.emplace_back(want); }
  for (std::thread& thread : threads) { thread.join(); }
  CHECK(works == 1);
  CHECK(told == 8);
}

TEST_CASE("one who holds the name and lets nobody in does not stop the work") {
  const std::string key = make_uuid();
  const std::string name = str_cat(std::string(1, '\0'), "mdl-toolkit-", ::getuid(), "-", key);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const UniqueFd squatter(::socket(AF_UNIX, SOCK_STREAM, 0)), filler(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(::bind(squatter.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(squatter.get(), 0) == 0);
  REQUIRE(::connect(filler.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(take_turns(key, "working", nothing, [] { return std::string("alone"); }) == "alone");
}

TEST_CASE("who waits tells now and then for whom") {
  const std::string key = make_uuid();
  const test::StderrCapture told;
  std::promise<void> begun;
  std::thread worker([&] {
    take_turns(key, "testing", nothing, [&] {
      begun.set_value();
      wait_until([&] { return told.lines() >= 3; });  // one at once, and one every millisecond
      return std::string("made");
    });
  });
  begun.get_future().wait();
  const auto none = []() -> std::string { return "own"; };
  CHECK(take_turns(key, "testing", nothing, none, std::chrono::milliseconds(1)) == "made");
  worker.join();
  const std::string line = str_cat("waiting for process ", ::getpid(), ", which is testing");
  CHECK_THAT(told.text(), Catch::Contains(line + "\n") && Catch::Contains(line + " (0 min)\n"));
}

TEST_CASE("those who wait get the error of the one who worked") {
  const std::string key = make_uuid();
  std::promise<void> begun;
  std::thread worker([&] {
    CHECK_THROWS_AS(take_turns(key, "working", nothing,
                               [&]() -> std::string {
                                 begun.set_value();
                                 wait_until([&] { return waiting_for(key) == 1; });
                                 throw UsageError("it is broken", "mend it");
                               }),
                    UsageError);
  });
  begun.get_future().wait();
  std::string told;
  int exit_code = 0;
  try {
    take_turns(key, "working", nothing, []() -> std::string { throw Error("nobody told me"); });
  } catch (const Error& error) {
    told = error.problem() + ", " + error.advice();
    exit_code = error.exit_code();
  }
  CHECK(told == "it is broken, mend it");
  CHECK(exit_code == kExitUsage);
  worker.join();
}

TEST_CASE("when the one who works is killed, another one takes its place") {
  const std::string key = make_uuid();
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    take_turns(key, "working", nothing, [&] {
      (void)!::write(pipe[1], "x", 1);
      ::pause();
      return std::string();
    });
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(pipe[0], &byte, 1) == 1);
  std::atomic<bool> asked = false, worked = false;
  std::thread waiting([&] {
    take_turns(
        key, "working", [&] { return asked = true, std::optional<std::string>(); },
        [&] { return worked = true, std::string(); });
  });
  wait_until([&] { return asked.load(); });
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  waiting.join();
  CHECK(worked);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

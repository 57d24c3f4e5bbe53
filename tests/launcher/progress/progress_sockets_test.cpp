#include "launcher/progress/progress_sockets.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <optional>

#include "common/str_cat.hpp"
#include "launcher/progress/progress_message.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::progress;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

/// A worker's end.
class Speaker {
 public:
  explicit Speaker(const fs::path& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    std::strncpy(address_.sun_path, path.c_str(), sizeof address_.sun_path - 1);
  }
  bool say(const std::string& text, int flags = 0) {
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    return ::sendto(socket_.get(), text.data(), text.size(), flags, address, sizeof address_) >= 0;
  }

 private:
  UniqueFd socket_;
  sockaddr_un address_{};
};

struct Listening {
  explicit Listening(const fs::path& run_folder, int workers = 2)
      : folder(run_folder), sockets(std::in_place, io, folder, workers, [this](int, std::int64_t) { ++calls; }) {}
  template <typename Condition>
  bool run_to(Condition condition) {
    const auto deadline = Clock::now() + 20s;
    while (!condition() && Clock::now() < deadline) { io.run_one_for(5ms); }
    return condition();
  }
  RankSummary of(std::size_t local_rank) const { return sockets->summaries(Clock::now()).at(local_rank); }

  asio::io_context io;
  ProgressFolder folder;
  int calls = 0;
  std::optional<ProgressSockets> sockets;
};

}  // namespace

TEST_CASE("each worker speaks for itself at a socket in the run's folder, which goes at the end") {
  const test::TempDir run;
  Listening listening(run.path());
  const std::vector<fs::path> paths = listening.sockets->paths();
  CHECK(paths == std::vector<fs::path>{run.path() / "progress_0", run.path() / "progress_1"});
  Speaker second(paths[1]);
  CHECK(second.say(R"({"step": 5})"));
  CHECK(listening.run_to([&] { return listening.of(1).step == 5; }));
  CHECK_FALSE(listening.of(0).known());
  listening.sockets.reset();
  CHECK(fs::is_empty(run.path()));
  CHECK_FALSE(second.say("{}"));
}

TEST_CASE("what a worker's server has left beside its socket is gone before the next one, and at the end") {
  const test::TempDir run;
  const fs::path server = run.path() / "server_0";
  CHECK(server_path_beside(run.path() / "progress_0") == server);
  std::ofstream(server) << "of an attempt before";
  Listening listening(run.path());
  CHECK_FALSE(fs::exists(server));
  std::ofstream(server) << "of this one";
  listening.sockets.reset();
  CHECK(fs::is_empty(run.path()));
}

TEST_CASE("sockets that wait for workers who send nothing do nothing") {
  const test::TempDir run;
  Listening listening(run.path(), 8);
  listening.io.poll();
  CHECK(listening.io.poll() == 0);
  CHECK(listening.calls == 0);
}

namespace {

/// How many descriptors the event loops of this process wait for.
int waited_for() {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) != "anon_inode:[eventpoll]") { continue; }
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    for (std::string word; info >> word;) { count += word == "tfd:" ? 1 : 0; }
  }
  return count;
}

}  // namespace

TEST_CASE("messages that come often wake nobody, and each is heard, also when they come rarely again") {
  const test::TempDir run;
  Listening listening(run.path());
  const int all = waited_for();
  Speaker worker(listening.sockets->paths()[0]);
  int step = 0;
  const auto say_one = [&] {
    CHECK(worker.say(str_cat(R"({"step":)", ++step, "}")));
    return listening.run_to([&] { return listening.of(0).step == step; });
  };
  CHECK(say_one());
  CHECK(waited_for() == all);
  // As fast as they are heard, which on a busy machine may be slow.
  for (int i = 0; i < 1000 && waited_for() == all; ++i) { CHECK(say_one()); }
  CHECK(waited_for() == all - 1);
  CHECK(say_one());
  CHECK(listening.run_to([&] { return waited_for() == all; }));
  CHECK(say_one());
  CHECK((listening.of(0).dropped == 0 && listening.of(0).wrong == 0));
}

TEST_CASE("what is too long for a progress message is no message") {
  const test::TempDir run;
  Listening listening(run.path());
  Speaker worker(listening.sockets->paths()[0]);
  std::string text = R"({"step": 5})";
  text.resize(kLargestProgressMessage, ' ');
  worker.say(text);
  CHECK(listening.run_to([&] { return listening.of(0).step == 5; }));
  CHECK(listening.of(0).wrong == 0);
  worker.say(R"({"step": 6})" + std::string(kLargestProgressMessage, ' '));
  CHECK(listening.run_to([&] { return listening.of(0).wrong == 1; }));
  worker.say("");
  CHECK(listening.run_to([&] { return listening.of(0).wrong == 2; }));
  CHECK(listening.of(0).step == 5);
}

TEST_CASE("a worker that sends without end is counted, does not wait long, and costs a turn now and then") {
  const test::TempDir run;
  Listening listening(run.path());
  Speaker worker(listening.sockets->paths()[0]);
  int sent = 0;
  const auto begin = Clock::now();
  while (sent < 5000 && Clock::now() - begin < 20s) {
    if (worker.say(str_cat(R"({"step":)", sent, "}"), MSG_DONTWAIT)) {
      ++sent;
    } else {
      listening.io.run_one_for(1ms);
    }
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  const auto seen = [&] {
    const RankSummary now = listening.of(0);
    return now.dropped > 0 && now.dropped + 100 * (1 + static_cast<int>(took.count())) >= sent;
  };
  CHECK(listening.run_to(seen));
  // One turn reads all that the kernel's queue holds.
  CHECK(listening.calls < sent / 2);
}

TEST_CASE("where the run's folder cannot have sockets they get a folder of their own for a while") {
  const test::TempDir run;
  const fs::path deep = run.path() / std::string(100, 'x');
  fs::create_directory(deep);
  for (const fs::path& folder : {deep, fs::path(), run.path() / "not there"}) {
    CAPTURE(folder);
    fs::path socket;
    {
      Listening listening(folder);
      socket = listening.sockets->paths().at(1);
      CHECK(socket.string().size() <= 107);
      struct stat info{};
      REQUIRE(::stat(socket.parent_path().c_str(), &info) == 0);
      CHECK((info.st_mode & 07777) == 0700);
      Speaker worker(socket);
      CHECK(worker.say(R"({"step": 1})"));
      CHECK(listening.run_to([&] { return listening.of(1).step == 1; }));
    }
    CHECK_FALSE(fs::exists(socket.parent_path()));
  }
  CHECK(fs::is_empty(deep));
}

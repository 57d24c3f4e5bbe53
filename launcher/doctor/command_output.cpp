#include "launcher/doctor/command_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "common/unique_fd.hpp"

namespace mdl::launcher::doctor {
namespace {

constexpr std::size_t kMaximalOutput = 1 << 20;

/// Kills and reaps the child unless it was waited for.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) { return; }
    ::kill(pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool succeeded() { return wait() && WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

 private:
  bool wait() {
    pid_t done = 0;
    do { done = ::waitpid(pid_, &status_, 0); } while (done < 0 && errno == EINTR);
    bool reaped = done == pid_;
    pid_ = 0;
    return reaped;
  }

  pid_t pid_;
  int status_ = 0;
};

pid_t spawn(const std::vector<std::string>& command, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> words;
  for (const std::string& word : command) { words.push_back(const_cast<char*>(word.c_str())); }
  words.push_back(nullptr);
  pid_t pid = 0;
  int failure = ::posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failure == 0 ? pid : 0;
}

}  // namespace

std::optional<std::string> output_of(const std::vector<std::string>& command, std::chrono::milliseconds limit) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) { return std::nullopt; }
  UniqueFd reading(ends[0]), writing(ends[1]);
  pid_t pid = spawn(command, writing.get());
  writing.reset();
  if (pid == 0) { return std::nullopt; }
  Child child(pid);
  auto deadline = std::chrono::steady_clock::now() + limit;
  std::string text;
  char buffer[4096];
  while (text.size() < kMaximalOutput) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ready{reading.get(), POLLIN, 0};
    int events = ::poll(&ready, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (events < 0 && errno == EINTR) { continue; }
    if (events <= 0) { return std::nullopt; }
    ssize_t got = ::read(reading.get(), buffer, sizeof(buffer));
    if (got < 0) { return std::nullopt; }
    if (got == 0) { break; }
    text.append(buffer, static_cast<std::size_t>(got));
  }
  if (!child.succeeded()) { return std::nullopt; }
  return text;
}

}  // namespace mdl::launcher::doctor

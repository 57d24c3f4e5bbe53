#include "common/command/command_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "common/unique_fd.hpp"

namespace mdl::command {
namespace {

constexpr std::size_t kMaximalOutput = 1 << 20;

using Clock = std::chrono::steady_clock;

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

  /// False also where it still runs at the deadline.
  bool succeeds_until(Clock::time_point deadline) {
    pid_t done = 0;
    while ((done = ::waitpid(pid_, &status_, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
      if (Clock::now() >= deadline) { return false; }
      ::poll(nullptr, 0, 1);  // a program ends soon after its output
    }
    pid_ = 0;
    return done > 0 && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  void wait() {
    pid_t done = 0;
    do { done = ::waitpid(pid_, &status_, 0); } while (done < 0 && errno == EINTR);
  }

  pid_t pid_;
  int status_ = 0;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) { all.push_back(const_cast<char*>(text.c_str())); }
  all.push_back(nullptr);
  return all;
}

/// This process's environment, but for what `variables` say.
std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> all = variables;
  for (char** each = environ; *each; ++each) {
    const std::string_view name(*each, std::string_view(*each).find('=') + 1);
    const auto same = [&](const std::string& own) { return own.starts_with(name); };
    if (std::none_of(variables.begin(), variables.end(), same)) { all.emplace_back(*each); }
  }
  return all;
}

pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& environment, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  int failure = ::posix_spawnp(&pid, command[0].c_str(), &actions, nullptr, pointers(command).data(),
                               pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  return failure == 0 ? pid : 0;
}

}  // namespace

std::optional<std::string> output_of(const std::vector<std::string>& command, std::chrono::milliseconds limit,
                                     const std::vector<std::string>& variables) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) { return std::nullopt; }
  UniqueFd reading(ends[0]), writing(ends[1]);
  pid_t pid = spawn(command, environment_with(variables), writing.get());
  writing.reset();
  if (pid == 0) { return std::nullopt; }
  Child child(pid);
  const auto deadline = Clock::now() + limit;
  std::string text;
  char buffer[4096];
  while (true) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{reading.get(), POLLIN, 0};
    int events = ::poll(&ready, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (events < 0 && errno == EINTR) { continue; }
    if (events <= 0) { return std::nullopt; }
    ssize_t got = ::read(reading.get(), buffer, sizeof(buffer));
    if (got < 0) { return std::nullopt; }
    if (got == 0) { break; }
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaximalOutput) { return std::nullopt; }
  }
  if (!child.succeeds_until(deadline)) { return std::nullopt; }
  return text;
}

}  // namespace mdl::command

#include "common/command/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace mdl::command {
namespace {

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

/// `errors` below 0: they are dropped.
pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& environment, int output,
            int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (errors < 0) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  }
  pid_t pid = 0;
  const int failure = ::posix_spawnp(&pid, command[0].c_str(), &actions, nullptr, pointers(command).data(),
                                     pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  return failure == 0 ? pid : 0;
}

struct Pipe {
  UniqueFd reading, writing;
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) { return std::nullopt; }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

std::optional<Child> Child::start(const std::vector<std::string>& command, const std::vector<std::string>& variables,
                                  Errors errors) {
  auto output = make_pipe();
  auto told = errors == Errors::piped ? make_pipe() : std::optional(Pipe{});
  if (!output || !told) { return std::nullopt; }
  const int errors_to = errors == Errors::piped ? told->writing.get() : -1;
  const pid_t pid = spawn(command, environment_with(variables), output->writing.get(), errors_to);
  if (pid == 0) { return std::nullopt; }
  return Child(pid, std::move(output->reading), std::move(told->reading));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)), errors_(std::move(other.errors_)) {}

Child::~Child() {
  if (pid_ <= 0) { return; }
  ::kill(pid_, SIGKILL);
  int status = 0;
  pid_t done = 0;
  do { done = ::waitpid(pid_, &status, 0); } while (done < 0 && errno == EINTR);
}

bool Child::succeeds_until(Clock::time_point deadline) {
  int status = 0;
  pid_t done = 0;
  while ((done = ::waitpid(pid_, &status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
    if (Clock::now() >= deadline) { return false; }
    ::poll(nullptr, 0, 1);  // a program ends soon after its output
  }
  pid_ = 0;
  return done > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace mdl::command

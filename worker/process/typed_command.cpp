#include "worker/process/typed_command.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/atomic_file.hpp"
#include "common/command/shell_words.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::process {
namespace {

constexpr const char* kResume = "--resume-from-checkpoint";

std::vector<std::string> command_line_of(pid_t pid) {
  std::vector<std::string> words;
  try {
    const std::string text = read_text(str_cat("/proc/", pid, "/cmdline"));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\0', at), text.size());
      words.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  } catch (const Error&) {  // it has ended, or /proc is not there
  }
  return words;
}

bool is_resume(const std::string& word) {
  std::string name = word.substr(0, word.find('='));
  std::replace(name.begin(), name.end(), '_', '-');
  return name == kResume;
}

std::vector<std::string> resuming(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  bool value = false;  // of the option before
  for (const std::string& word : words) {
    if (!value && !is_resume(word)) { result.push_back(word); }
    value = !value && is_resume(word) && word.find('=') == std::string::npos;
  }
  result.insert(result.end(), {kResume, "true"});
  return result;
}

/// Whether the launcher was told this process's arguments, behind the program that it starts.
bool ends_with_arguments(const std::vector<std::string>& launcher, const std::vector<std::string>& own) {
  return own.size() > 1 && launcher.size() >= own.size() &&
         std::equal(own.begin() + 1, own.end(), launcher.end() - std::ssize(own) + 1);
}

}  // namespace

StartedBy started_by() {
  StartedBy started{.own = command_line_of(::getpid()),
                    .under_launcher = lookup_environment("TORCHELASTIC_RUN_ID").has_value()};
  if (started.under_launcher) { started.launcher = command_line_of(::getppid()); }
  return started;
}

std::string command_to_go_on(const StartedBy& started) {
  const bool known = started.under_launcher && ends_with_arguments(started.launcher, started.own);
  return command::shell_command(resuming(known ? started.launcher : started.own));
}

}  // namespace mdl::worker::process

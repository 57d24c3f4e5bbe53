#include "launcher/process/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::launcher::process {
namespace {

struct ProcessEntry {
  pid_t pid;
  pid_t parent;
};

std::vector<ProcessEntry> all_processes() {
  std::vector<ProcessEntry> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) { return processes; }
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') { continue; }
    const pid_t pid = std::atoi(entry->d_name);
    // (A zombie counts: its other threads may live on, and have children.)
    if (const auto process = process_stat(pid)) { processes.push_back({pid, process->parent}); }
  }
  return processes;
}

}  // namespace

/// From /proc/PID/stat: what follows the command, which is in parentheses and may hold any character.
std::optional<ProcessStat> process_stat(pid_t pid) {
  const UniqueFd fd(::open(str_cat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { return std::nullopt; }
  std::array<char, 1024> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) { return std::nullopt; }
  const char* after_command = std::strrchr(text.data(), ')');
  ProcessStat process;
  unsigned long long start = 0;
  const char* format = " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu";
  if (!after_command || std::sscanf(after_command + 1, format, &process.state, &process.parent, &start) != 3) {
    return std::nullopt;
  }
  process.start_time = start;
  return process;
}

bool descends_from(pid_t pid, pid_t root) {
  constexpr int kDeepest = 10'000;  // against processes that come and go while we climb
  for (int i = 0; i < kDeepest && pid > 1; ++i) {
    const auto process = process_stat(pid);
    if (!process) { return false; }
    if (process->parent == root) { return true; }
    pid = process->parent;
  }
  return false;
}

std::vector<pid_t> descendants_of(pid_t root) {
  const std::vector<ProcessEntry> processes = all_processes();
  std::vector<pid_t> found = {root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const ProcessEntry& process : processes) {
      const bool new_child =
          process.parent == found[i] && std::find(found.begin(), found.end(), process.pid) == found.end();
      if (new_child) { found.push_back(process.pid); }
    }
  }
  found.erase(found.begin());
  return found;
}

void kill_descendants() {
  for (const pid_t pid : descendants_of(::getpid())) { ::kill(pid, SIGKILL); }
}

}  // namespace mdl::launcher::process

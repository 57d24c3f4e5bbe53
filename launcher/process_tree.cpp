#include "launcher/process_tree.hpp"

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

namespace mdl::launcher {
namespace {

struct ProcessEntry {
  pid_t pid;
  pid_t parent;
};

/// The parent's pid from /proc/PID/stat: the second field after the command, which is in parentheses and may hold any
/// character. 0 when the process is gone. (A zombie counts: its other threads may live on, and have children.)
pid_t parent_of(const char* pid) {
  const UniqueFd fd(::open(str_cat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::array<char, 512> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) return 0;
  const char* after_command = std::strrchr(text.data(), ')');
  char state = 0;
  int parent = 0;
  if (!after_command || std::sscanf(after_command + 1, " %c %d", &state, &parent) != 2) return 0;
  return parent;
}

std::vector<ProcessEntry> all_processes() {
  std::vector<ProcessEntry> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) return processes;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (const pid_t parent = parent_of(entry->d_name)) processes.push_back({std::atoi(entry->d_name), parent});
  }
  return processes;
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root) {
  const std::vector<ProcessEntry> processes = all_processes();
  std::vector<pid_t> found = {root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const ProcessEntry& process : processes) {
      const bool new_child =
          process.parent == found[i] && std::find(found.begin(), found.end(), process.pid) == found.end();
      if (new_child) found.push_back(process.pid);
    }
  }
  found.erase(found.begin());
  return found;
}

void kill_descendants() {
  for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGKILL);
}

}  // namespace mdl::launcher

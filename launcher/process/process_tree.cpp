#include "launcher/process/process_tree.hpp"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "common/parse_number.hpp"
#include "common/process_stat.hpp"

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
    const auto pid = parse_digits<pid_t>(entry->d_name);
    // (A zombie counts: its other threads may live on, and have children.)
    const auto process = pid ? process_stat(*pid) : std::nullopt;
    if (process) { processes.push_back({*pid, process->parent}); }
  }
  return processes;
}

}  // namespace

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

#include "common/process_stat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl {
namespace {

/// What follows the command, which is in parentheses and may hold any character.
std::optional<ProcessStat> read_process_stat(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { return std::nullopt; }
  std::array<char, 1024> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) { return std::nullopt; }
  const char* after_command = std::strrchr(text.data(), ')');
  ProcessStat process;
  unsigned long long start = 0;
  unsigned long long own_ticks = 0;
  unsigned long long kernel_ticks = 0;
  long threads = 0;
  const char* format = " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld %*d %llu";
  if (!after_command || std::sscanf(after_command + 1, format, &process.state, &process.parent, &own_ticks,
                                    &kernel_ticks, &threads, &start) != 6) {
    return std::nullopt;
  }
  process.start_time = start;
  process.cpu_ticks = own_ticks + kernel_ticks;
  process.threads = threads;
  return process;
}

}  // namespace

std::optional<ProcessStat> process_stat(pid_t pid) {
  return read_process_stat(str_cat("/proc/", pid, "/stat"));
}

std::optional<ProcessStat> thread_stat(pid_t pid, pid_t thread) {
  return read_process_stat(str_cat("/proc/", pid, "/task/", thread, "/stat"));
}

}  // namespace mdl

#include "common/process_stat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl {

/// What follows the command, which is in parentheses and may hold any character.
std::optional<ProcessStat> process_stat(pid_t pid) {
  const UniqueFd fd(::open(str_cat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { return std::nullopt; }
  std::array<char, 1024> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) { return std::nullopt; }
  const char* after_command = std::strrchr(text.data(), ')');
  ProcessStat process;
  unsigned long long start = 0;
  long threads = 0;
  const char* format = " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu";
  if (!after_command ||
      std::sscanf(after_command + 1, format, &process.state, &process.parent, &threads, &start) != 4) {
    return std::nullopt;
  }
  process.start_time = start;
  process.threads = threads;
  return process;
}

}  // namespace mdl

#include "launcher/process/close_files.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace mdl::launcher::process {
namespace {

constexpr unsigned kCloexec = 1 << 2;  // CLOSE_RANGE_CLOEXEC, which is younger than many headers

/// glibc has a function of this name since 2.34.
bool ask_kernel(unsigned first, unsigned last, unsigned flags) {
#ifdef __NR_close_range
  return ::syscall(__NR_close_range, first, last, flags) == 0;
#else
  return ::syscall(436, first, last, flags) == 0;  // the same number for every processor
#endif
}

/// Behind the last descriptor that is looked at one by one.
unsigned files_end() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1 << 16));
}

}  // namespace

void close_files(unsigned first, unsigned last) {
  if (first > last || ask_kernel(first, last, 0)) { return; }
  for (unsigned fd = first, end = files_end(); fd < end && fd <= last; ++fd) { ::close(static_cast<int>(fd)); }
}

void close_files_on_exec(unsigned first) {
  if (ask_kernel(first, ~0U, kCloexec)) { return; }
  for (unsigned fd = first, end = files_end(); fd < end; ++fd) { ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC); }
}

}  // namespace mdl::launcher::process

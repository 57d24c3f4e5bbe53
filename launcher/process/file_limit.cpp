#include "launcher/process/file_limit.hpp"

#include <sys/resource.h>

namespace mdl::launcher::process {
namespace {

rlimit limit_of_before{};  // 0 until it is raised

}  // namespace

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) { return; }
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) { limit_of_before = limit; }
}

void restore_file_limit() {
  if (limit_of_before.rlim_cur > 0) { ::setrlimit(RLIMIT_NOFILE, &limit_of_before); }
}

}  // namespace mdl::launcher::process

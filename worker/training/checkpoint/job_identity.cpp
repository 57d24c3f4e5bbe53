#include "worker/training/checkpoint/job_identity.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/process_stat.hpp"
#include "common/str_cat.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

/// A process's arguments, each ended by a zero.
std::string command_line_of(pid_t pid) {
  return read_text(str_cat("/proc/", pid, "/cmdline"));
}

}  // namespace

std::string launcher_agent() {
  if (!process::lookup_environment("TORCHELASTIC_RUN_ID")) { return {}; }
  try {
    pid_t pid = ::getppid();
    auto agent = process_stat(pid);
    // mdl-launch starts workers through a copy of itself, one for each round.
    while (agent && agent->parent > 1 && command_line_of(agent->parent) == command_line_of(pid)) {
      pid = agent->parent;
      agent = process_stat(pid);
    }
    return agent ? str_cat(host_name(), "/", pid, "/", agent->start_time) : std::string();
  } catch (const Error&) {
    return {};  // the launcher has just died
  }
}

bool same_job(const std::vector<std::string>& then, const std::vector<std::string>& now) {
  return std::any_of(now.begin(), now.end(), [&](const std::string& agent) {
    return !agent.empty() && std::find(then.begin(), then.end(), agent) != then.end();
  });
}

}  // namespace mdl::worker::training::checkpoint

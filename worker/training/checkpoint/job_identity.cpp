#include "worker/training/checkpoint/job_identity.hpp"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/reports/event_file.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

/// What /proc says about a process.
struct Process {
  pid_t parent = 0;
  std::string start_time;    ///< in clock ticks since the machine started
  std::string command_line;  ///< arguments, each ended by a zero
};

Process read_process(pid_t pid) {
  // In `stat` the name, field 2, is in parentheses and may hold anything; the parent is field 4, the start field 22.
  const std::string stat = read_text(str_cat("/proc/", pid, "/stat"));
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  Process process;
  std::string skipped;
  fields >> skipped >> process.parent;
  for (int field = 5; field <= 22; ++field) { fields >> process.start_time; }
  process.command_line = read_text(str_cat("/proc/", pid, "/cmdline"));
  return process;
}

}  // namespace

std::string launcher_agent() {
  if (!process::lookup_environment("TORCHELASTIC_RUN_ID")) { return {}; }
  try {
    pid_t pid = ::getppid();
    Process agent = read_process(pid);
    // mdl-launch starts workers through a copy of itself, one for each round.
    while (agent.parent > 1) {
      Process parent = read_process(agent.parent);
      if (parent.command_line != agent.command_line) { break; }
      pid = agent.parent;
      agent = std::move(parent);
    }
    return str_cat(reports::host_name(), "/", pid, "/", agent.start_time);
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

#pragma once

#include <poll.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/process_stat.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::test {

/// Whether a process is there and has not ended (a zombie has).
inline bool is_alive(pid_t pid) {
  const auto process = process_stat(pid);
  return process && process->state != 'Z';
}

/// Looks again and again until `condition` holds, for things that no descriptor tells of. False after `limit`.
template <typename Condition>
bool becomes_true(Condition condition, std::chrono::seconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) { return false; }
    ::poll(nullptr, 0, 1);
  }
  return true;
}

/// /bin/sh -c `script` as a worker.
inline launcher::process::WorkerSpec shell(const std::string& script, int out = 1, int err = 2) {
  return {"/bin/sh", {"sh", "-c", script}, {"PATH=/usr/local/bin:/usr/bin:/bin"}, out, err, {}};
}

}  // namespace mdl::test

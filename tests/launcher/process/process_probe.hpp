#pragma once

#include <poll.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "launcher/process/worker_process.hpp"

namespace mdl::test {

/// Whether a process is there and has not ended (a zombie has).
inline bool is_alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) { return false; }
  const auto after_command = text.rfind(')');
  return text.size() > after_command + 2 && text[after_command + 2] != 'Z';
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

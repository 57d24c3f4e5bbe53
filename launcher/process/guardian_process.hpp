#pragma once

#include <vector>

#include "common/unique_fd.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::launcher::process {

/// What the launcher tells its guardian: one packet.
struct GuardianCommand {
  static constexpr int kSignal = 1;   ///< signal the process groups of the living workers; argument: the signal
  static constexpr int kKillAll = 2;  ///< kill every descendant until none is left, report all_gone, end
  static constexpr int kLetGo = 3;    ///< guard nobody any more; argument: how many streams to relay follow
  int command;
  int argument;
};

/// The guardian's whole life (see Guardian): starts `workers`, reports on `control`, obeys it, and ends when nothing is
/// left to guard or to relay. Returns the process's exit code.
int run_guardian(UniqueFd control, const std::vector<WorkerSpec>& workers);

}  // namespace mdl::launcher::process

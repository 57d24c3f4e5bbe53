#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::process {

/// Everything that is needed to start one worker. The file descriptors are borrowed.
struct WorkerSpec {
  std::string executable;  ///< path for execve
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< NAME=VALUE
  int stdout_fd = 1;
  int stderr_fd = 2;
  machine::CpuSet cpus;  ///< logical CPUs that it may run on; empty: those of the caller
  int stdin_fd = 0;
};

/// A child that was started, or the errno of what failed.
struct StartedProcess {
  pid_t pid = -1;
  int error = 0;
};

/// Starts a worker as the leader of its own session and process group, with the given stdin, stdout and
/// stderr, no other descriptor, an empty signal mask and default signal handling (an ignored SIGHUP stays ignored, so
/// that nohup works). The kernel kills it when the calling process dies. Returns once the program has been loaded: a
/// program that cannot be loaded is an error here, not an exit of the worker.
StartedProcess start_worker(const WorkerSpec& spec);

/// Runs `body` in a copy of this process, which ends with body's return value. Only for a process with one thread.
StartedProcess start_copy(const std::function<int()>& body);

}  // namespace mdl::launcher::process

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/command_line/options.hpp"
#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::doctor {

/// The job that the doctor is asked about, from either spelling of the options.
struct JobSpec {
  int nodes = 1;
  int processes_here = 1;  ///< workers that would start on this node
  int node_rank = -1;      ///< -1: not known (c10d)
  bool wants_gpus = false;
  bool use_cpu = false;
  std::string backend = "static";
  std::string host;  ///< of the endpoint; empty when there is none: one node that names none, or --standalone
  int port = 0;
  std::optional<std::string> omp_threads;  ///< OMP_NUM_THREADS that the launch would set; else the environment's stays
  bool no_python = false;
  bool module = false;
  std::vector<std::string> program;  ///< with its arguments; may be empty
};

/// Whether a program is mdl-toolkit, by its name: mdl-toolkit-native is the same. Python's has the first name, too.
bool is_toolkit(const std::string& program);

/// The job that torchrun's options describe. Throws UsageError for what the nodes of a job could not find each other
/// with.
JobSpec job_spec_of(const command_line::LaunchOptions& options, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::doctor

#include "launcher/doctor/job_spec.hpp"

#include <algorithm>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "launcher/command_line/option_value.hpp"
#include "launcher/machine/gpu_count.hpp"

namespace mdl::launcher::doctor {
namespace {

void count_processes(const std::string& text, const machine::MachineFacts& facts, JobSpec& job) {
  const int gpus = facts.gpu_count();
  if (text == "gpu" || (text == "auto" && gpus > 0)) {
    job.wants_gpus = true;
    job.processes_here = std::max(gpus, 1);
  } else if (text == "cpu" || text == "auto") {
    job.processes_here = facts.physical_cores();
  } else {
    job.processes_here = machine::parse_worker_count(text);
    job.wants_gpus = gpus > 0 && job.processes_here <= gpus;  // more than GPUs can only be meant for CPUs
  }
}

std::string without_brackets(const std::string& host) {
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

bool is_toolkit(const std::string& program) {
  const std::string name = program.substr(program.rfind('/') + 1);
  return name == "mdl-toolkit" || name == "mdl-toolkit-native";
}

JobSpec job_spec_of(const command_line::LaunchOptions& options, const machine::MachineFacts& facts) {
  JobSpec job;
  job.nodes = options.nnodes.min;
  count_processes(options.nproc_per_node, facts, job);
  job.backend = options.rdzv_backend;
  const bool is_static = job.backend == "static";
  if (is_static) { job.node_rank = options.node_rank; }
  job.no_python = options.no_python;
  job.module = options.module;
  if (!options.program.empty()) {
    job.program = {options.program};
    job.program.insert(job.program.end(), options.program_args.begin(), options.program_args.end());
  }
  if (!options.standalone) { command_line::check_choice({"--rdzv-backend", job.backend}, {"static", "c10d"}); }
  // As the launch has it: without a port one node meets at a free one of this machine.
  const bool named = !options.rdzv_endpoint.empty() || (is_static && options.master_port);
  if (options.standalone || (job.nodes == 1 && !named)) { return job; }
  if (!options.rdzv_endpoint.empty()) {
    const Endpoint endpoint = parse_endpoint(options.rdzv_endpoint, is_static ? kStaticPort : kC10dPort);
    job.host = endpoint.host;
    job.port = endpoint.port;
  } else if (is_static) {
    job.host = without_brackets(options.master_addr);
    job.port = options.master_port.value_or(kStaticPort);
  } else {
    throw UsageError("--rdzv-endpoint is missing", "Give --rdzv-endpoint HOST[:PORT], the same on all nodes.");
  }
  return job;
}

}  // namespace mdl::launcher::doctor

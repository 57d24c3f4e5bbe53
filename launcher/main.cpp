#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "common/uuid.hpp"
#include "launcher/accelerate/accelerate_command.hpp"
#include "launcher/agent.hpp"
#include "launcher/all_commands.hpp"
#include "launcher/command_line/completion.hpp"
#include "launcher/command_line/dialect.hpp"
#include "launcher/command_line/launch_command.hpp"
#include "launcher/command_line/options.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/doctor/preflight.hpp"
#include "launcher/machine/gpu_count.hpp"
#include "launcher/machine/machine_probe.hpp"
#include "launcher/machine/numa_binding.hpp"
#include "launcher/process/file_limit.hpp"
#include "launcher/status/status_command.hpp"

namespace mdl::launcher {
namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

int count_gpus() {
  return machine::visible_gpus(variable("CUDA_VISIBLE_DEVICES"), machine::find_gpus());
}

int launch(command_line::LaunchOptions options) {
  command_line::LaunchPlan plan;
  plan.options = std::move(options);
  plan.store = command_line::plan_store(plan.options, make_uuid());
  load_secret(plan.store, plan.options.rdzv_conf);
  process::raise_file_limit();
  plan.command = command_line::make_launch_command(plan.options, variable);
  if (!plan.options.health_command.empty()) {
    plan.health = command_line::plan_health_command(plan.options.health_command, variable);
  }
  plan.local_world_size = machine::count_workers(plan.options.nproc_per_node, variable("CUDA_VISIBLE_DEVICES"));
  if (plan.options.numa_binding) {
    plan.worker_cpus =
        machine::bind_workers(*plan.options.numa_binding, plan.local_world_size, variable("CUDA_VISIBLE_DEVICES"),
                              machine::find_gpus(), machine::CpuTopology());
  }
  for (char** entry = ::environ; *entry; ++entry) { plan.environment.emplace_back(*entry); }
  return run_agent(plan);
}

int print(const std::string& text) {
  return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kExitFailure : 0;
}

/// Runs the command line; returns the exit code.
int run(const std::string& program, std::vector<std::string> args) {
  const auto dialect = command_line::dialect_of(program);
  if (dialect == command_line::Dialect::accelerate) { args = command_line::from_accelerate(args); }
  const bool has_commands = dialect != command_line::Dialect::torchrun;
  if (has_commands && status::is_status_command(args)) { return status::run_status_command(args, variable); }
  std::signal(SIGPIPE, SIG_IGN);  // a job does not end because nobody reads what the launcher says of it
  const auto facts = machine::probe_machine(count_gpus);
  const bool resolves = has_commands && accelerate::is_accelerate_command(args);
  if (resolves) {
    const auto outcome = accelerate::run_command(args, facts);
    if (!outcome.launch) { return outcome.exit_code; }
    args = *outcome.launch;  // as if the user had written torchrun's options
  }
  const auto parsed = command_line::parse_command_line(args, variable);
  if (parsed.text) { return print(*parsed.text); }
  if (parsed.completion_shell) {
    return print(command_line::completion_script(*parsed.completion_shell, all_commands()));
  }
  if (!resolves) { doctor::warn_beforehand(parsed.options, facts); }
  return launch(parsed.options);
}

}  // namespace
}  // namespace mdl::launcher

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::log::set_program("mdl-launch");
  try {
    return mdl::launcher::run(argc > 0 ? argv[0] : "", {argv + std::min(argc, 1), argv + argc});
  } catch (const mdl::Error& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", mdl::describe_exception(error).c_str());
    return mdl::kExitFailure;
  }
}

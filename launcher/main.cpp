#include <unistd.h>

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
#include "launcher/accelerate/accelerate_command.hpp"
#include "launcher/accelerate/preflight.hpp"
#include "launcher/agent.hpp"
#include "launcher/file_limit.hpp"
#include "launcher/gpu_count.hpp"
#include "launcher/launch_command.hpp"
#include "launcher/numa_binding.hpp"
#include "launcher/options.hpp"
#include "launcher/status_command.hpp"
#include "launcher/store_plan.hpp"

namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

int count_gpus() {
  return mdl::launcher::visible_gpus(variable("CUDA_VISIBLE_DEVICES"), mdl::launcher::find_gpus());
}

int launch(const mdl::launcher::LaunchOptions& options) {
  using namespace mdl::launcher;
  LaunchPlan plan;
  plan.store = plan_store(options, make_uuid());
  arm(plan.store);
  raise_file_limit();
  plan.command = make_launch_command(options, variable);
  plan.local_world_size = count_workers(options.nproc_per_node, variable("CUDA_VISIBLE_DEVICES"));
  if (options.numa_binding) {
    plan.worker_cpus = bind_workers(*options.numa_binding, plan.local_world_size, variable("CUDA_VISIBLE_DEVICES"),
                                    find_gpus(), mdl::CpuTopology());
  }
  plan.max_restarts = options.max_restarts;
  plan.role = options.role;
  plan.signals_to_handle = options.signals_to_handle;
  plan.shutdown_timeout = options.shutdown_timeout;
  plan.virtual_local_rank = options.virtual_local_rank;
  plan.logs_events = options.logs_events;
  plan.rdzv_backend = plan.store.port == 0 ? "c10d" : options.rdzv_backend;
  plan.logs = options.logs;
  for (char** entry = ::environ; *entry; ++entry) plan.environment.emplace_back(*entry);
  return run_agent(plan);
}

}  // namespace

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::log::set_program("mdl-launch");
  try {
    std::vector<std::string> args(argv + 1, argv + argc);
    if (mdl::launcher::is_status_command(args)) return mdl::launcher::run_status_command(args, variable);
    std::signal(SIGPIPE, SIG_IGN);  // a job does not end because nobody reads what the launcher says of it
    const auto facts = mdl::accelerate::probe_machine(count_gpus);
    if (mdl::accelerate::is_accelerate_command(args)) {
      const auto outcome = mdl::accelerate::run_command(args, facts);
      if (!outcome.launch) return outcome.exit_code;
      args = *outcome.launch;  // as if the user had written torchrun's options
    } else {
      mdl::accelerate::warn_beforehand(args, facts);
    }
    const auto parsed = mdl::launcher::parse_command_line(args, variable);
    if (parsed.text) return std::fputs(parsed.text->c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0;
    return launch(parsed.options);
  } catch (const mdl::Error& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", mdl::describe_exception(error).c_str());
    return mdl::kExitFailure;
  }
}

#include "launcher/worker_specs.hpp"

#include "common/host.hpp"
#include "launcher/progress/progress_folder.hpp"

namespace mdl::launcher {
namespace {

process::GroupIdentity describe_group(const command_line::LaunchPlan& plan, const job::Round& round,
                                      int restart_count) {
  process::GroupIdentity group;
  group.role = plan.options.role;
  group.run_id = command_line::run_id_of(plan.store);
  group.group_rank = round.group_rank;
  group.group_world_size = round.group_world_size;
  group.local_world_size = plan.local_world_size;
  group.world_size = static_cast<int>(round.ranks.global_world_size);
  group.role_world_size = static_cast<int>(round.ranks.role_world_size);
  group.master_addr = round.master_addr;
  group.master_port = round.master_port;
  group.agent_store = round.agent_store;
  group.restart_count = restart_count;
  group.max_restarts = plan.options.max_restarts;
  group.signals_to_handle = plan.options.signals_to_handle;
  group.virtual_local_rank = plan.options.virtual_local_rank;
  return group;
}

}  // namespace

process::WorkerIdentity identity_of(const job::Round& round, int local_rank) {
  return {local_rank, static_cast<int>(round.ranks.base_global_rank) + local_rank,
          static_cast<int>(round.ranks.base_role_rank) + local_rank};
}

std::vector<std::string> line_prefixes(const command_line::LaunchPlan& plan, const job::Round& round) {
  std::vector<std::string> prefixes;
  prefixes.reserve(static_cast<std::size_t>(plan.local_world_size));
  for (int local_rank = 0; local_rank < plan.local_world_size; ++local_rank) {
    prefixes.push_back(command_line::line_prefix(plan.options.logs, plan.options.role, local_rank,
                                                 identity_of(round, local_rank).rank, host_name()));
  }
  return prefixes;
}

std::vector<process::WorkerSpec> worker_specs(const command_line::LaunchPlan& plan, const job::Round& round,
                                              int restart_count, const ServedPaths& served,
                                              const std::vector<std::filesystem::path>& error_files,
                                              const std::vector<output::OutputMux::WorkerEnds>& ends) {
  process::GroupIdentity group = describe_group(plan, round, restart_count);
  group.timer_file = served.timer_file.string();
  std::vector<process::WorkerSpec> specs;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const int local_rank = static_cast<int>(i);
    process::WorkerFiles files{error_files[i].string()};
    if (!served.progress.empty()) {
      files.progress_socket = served.progress.at(i).string();
      files.server_socket = progress::server_path_beside(served.progress.at(i)).string();
    }
    specs.push_back({plan.command.executable, command_line::argv_of_worker(plan.command, local_rank),
                     process::worker_environment(plan.environment, group, identity_of(round, local_rank), files),
                     ends[i].out.get(), ends[i].err.get(),
                     plan.worker_cpus.empty() ? machine::CpuSet{} : plan.worker_cpus.at(i)});
  }
  return specs;
}

}  // namespace mdl::launcher

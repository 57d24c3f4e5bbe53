#include "launcher/worker_env.hpp"

#include <utility>

namespace mdl::launcher {
namespace {

bool names(const std::string& entry, const std::string& name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0;
}

}  // namespace

std::optional<std::string> find_variable(const std::vector<std::string>& environment, const std::string& name) {
  for (const std::string& entry : environment) {
    if (names(entry, name)) return entry.substr(name.size() + 1);
  }
  return std::nullopt;
}

bool limits_omp_threads(const std::vector<std::string>& inherited, int local_world_size) {
  return local_world_size > 1 && !find_variable(inherited, "OMP_NUM_THREADS");
}

std::vector<std::string> worker_environment(const std::vector<std::string>& inherited, const GroupIdentity& group,
                                            const WorkerIdentity& worker, const std::string& error_file) {
  std::vector<std::pair<std::string, std::string>> set = {
      {"LOCAL_RANK", std::to_string(worker.local_rank)},
      {"RANK", std::to_string(worker.rank)},
      {"GROUP_RANK", std::to_string(group.group_rank)},
      {"ROLE_RANK", std::to_string(worker.role_rank)},
      {"ROLE_NAME", group.role},
      {"LOCAL_WORLD_SIZE", std::to_string(group.local_world_size)},
      {"WORLD_SIZE", std::to_string(group.world_size)},
      {"GROUP_WORLD_SIZE", std::to_string(group.group_world_size)},
      {"ROLE_WORLD_SIZE", std::to_string(group.role_world_size)},
      {"MASTER_ADDR", group.master_addr},
      {"MASTER_PORT", std::to_string(group.master_port)},
      {"TORCHELASTIC_RESTART_COUNT", std::to_string(group.restart_count)},
      {"TORCHELASTIC_MAX_RESTARTS", std::to_string(group.max_restarts)},
      {"TORCHELASTIC_RUN_ID", group.run_id},
      {"TORCHELASTIC_USE_AGENT_STORE", "True"},
      {"TORCHELASTIC_SIGNALS_TO_HANDLE", group.signals_to_handle},
      {"TORCHELASTIC_ERROR_FILE", error_file},
  };
  if (!find_variable(inherited, "TORCH_NCCL_ASYNC_ERROR_HANDLING"))
    set.push_back({"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"});
  if (limits_omp_threads(inherited, group.local_world_size)) set.push_back({"OMP_NUM_THREADS", "1"});

  std::vector<std::string> environment;
  environment.reserve(inherited.size() + set.size());
  for (const std::string& entry : inherited) {
    bool replaced = false;
    for (const auto& [name, value] : set) replaced = replaced || names(entry, name);
    if (!replaced) environment.push_back(entry);
  }
  for (const auto& [name, value] : set) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace mdl::launcher

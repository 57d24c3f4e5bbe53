#include "launcher/process/worker_env.hpp"

#include <array>
#include <filesystem>
#include <utility>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::process {
namespace {

const char* const kProgressVariable = "MDL_PROGRESS";
const char* const kServerVariable = "TORCH_WORKER_SERVER_SOCKET";
/// Options as variables that say a port of this launcher's: one that a worker starts could not have it too.
constexpr std::array<const char*, 2> kPortVariables = {"PET_METRICS_PORT", "PET_DASHBOARD"};

bool names(const std::string& entry, const std::string& name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0;
}

/// The entry of the worker in the inherited list of devices, or its own number where there is no list.
std::string own_device(const std::optional<std::string>& list, const std::string& name, int local_rank) {
  if (!list) { return std::to_string(local_rank); }
  std::size_t begin = 0;
  for (int i = 0; i < local_rank && begin != std::string::npos; ++i) {
    const std::size_t comma = list->find(',', begin);
    begin = comma == std::string::npos ? comma : comma + 1;
  }
  if (begin == std::string::npos) {
    throw UsageError(
        str_cat("--virtual-local-rank: there is no device for local rank ", local_rank, " in ", name, "=", *list),
        "Start fewer workers, or name more devices.");
  }
  std::string device = list->substr(begin, list->find(',', begin) - begin);
  device.erase(0, device.find_first_not_of(' '));
  device.erase(device.find_last_not_of(' ') + 1);
  return device;
}

}  // namespace

std::optional<std::string> find_variable(const std::vector<std::string>& environment, const std::string& name) {
  for (const std::string& entry : environment) {
    if (names(entry, name)) { return entry.substr(name.size() + 1); }
  }
  return std::nullopt;
}

std::optional<std::string> worker_server_socket(const std::vector<std::string>& inherited, const std::string& own) {
  const auto set = find_variable(inherited, kServerVariable);
  const auto outer = find_variable(inherited, kProgressVariable);
  const auto folder_of = [](const std::string& path) { return std::filesystem::path(path).parent_path(); };
  const bool of_user = set && !(outer && !set->empty() && folder_of(*set) == folder_of(*outer));
  const std::string& path = of_user ? *set : own;
  return path.empty() ? std::nullopt : std::optional(path);
}

bool limits_omp_threads(const std::vector<std::string>& inherited, int local_world_size) {
  return local_world_size > 1 && !find_variable(inherited, "OMP_NUM_THREADS");
}

std::vector<std::string> worker_environment(const std::vector<std::string>& inherited, const GroupIdentity& group,
                                            const WorkerIdentity& worker, const WorkerFiles& files) {
  std::vector<std::pair<std::string, std::string>> set = {
      {"LOCAL_RANK", group.virtual_local_rank ? "0" : std::to_string(worker.local_rank)},
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
      {"TORCHELASTIC_USE_AGENT_STORE", group.agent_store ? "True" : "False"},
      {"TORCHELASTIC_SIGNALS_TO_HANDLE", group.signals_to_handle},
      {"TORCHELASTIC_ERROR_FILE", files.error_file},
  };
  if (!files.progress_socket.empty()) { set.push_back({kProgressVariable, files.progress_socket}); }
  if (const auto server = worker_server_socket(inherited, files.server_socket)) {
    set.push_back({kServerVariable, *server});
  }
  if (!group.timer_file.empty()) { set.push_back({"TORCHELASTIC_TIMER_FILE", group.timer_file}); }
  if (!find_variable(inherited, "TORCH_NCCL_ASYNC_ERROR_HANDLING")) {
    set.push_back({"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"});
  }
  if (limits_omp_threads(inherited, group.local_world_size)) { set.push_back({"OMP_NUM_THREADS", "1"}); }

  if (group.virtual_local_rank) {
    const auto hip = find_variable(inherited, "HIP_VISIBLE_DEVICES");
    const bool amd = hip && !hip->empty();
    const std::string name = amd ? "HIP_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES";
    const std::string device = own_device(find_variable(inherited, name), name, worker.local_rank);
    set.push_back({"CUDA_VISIBLE_DEVICES", device});
    if (amd) { set.push_back({"HIP_VISIBLE_DEVICES", device}); }
  }

  std::vector<std::string> environment;
  environment.reserve(inherited.size() + set.size());
  for (const std::string& entry : inherited) {
    bool replaced = names(entry, kProgressVariable) || names(entry, kServerVariable);
    for (const char* name : kPortVariables) { replaced = replaced || names(entry, name); }
    for (const auto& [name, value] : set) { replaced = replaced || names(entry, name); }
    if (!replaced) { environment.push_back(entry); }
  }
  for (const auto& [name, value] : set) { environment.push_back(str_cat(name, "=", value)); }
  return environment;
}

}  // namespace mdl::launcher::process

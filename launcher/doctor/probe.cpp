#include "launcher/doctor/probe.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/command/weighted_path.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/nvidia/driver.hpp"
#include "common/nvidia/nvml.hpp"
#include "common/version.hpp"
#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::doctor {
namespace {

namespace fs = std::filesystem;

std::string variable(const machine::Environment& environment, const std::string& name) {
  auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::vector<InterfaceFacts> observe_interfaces() {
  std::vector<InterfaceFacts> interfaces;
  for (const InterfaceAddress& own : interface_addresses()) {
    std::string address = own.address.text();
    if (address.starts_with("fe80:")) {
      continue;  // link-local ones mean nothing without the link
    }
    interfaces.push_back({own.interface, address, own.loopback});
  }
  return interfaces;
}

std::vector<std::string> resolve(const std::string& host, std::string& error) {
  const auto resolved = resolve_host(host);
  if (!resolved) {
    error = resolved.error();
    return {};
  }
  std::vector<std::string> addresses;
  for (const SocketAddress& each : *resolved) {
    std::string address = each.text();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) { addresses.push_back(address); }
  }
  return addresses;
}

EndpointFacts observe_endpoint(const JobSpec& job, const std::vector<InterfaceFacts>& interfaces) {
  EndpointFacts endpoint;
  if (job.host.empty()) { return endpoint; }
  endpoint.host = job.host;
  endpoint.port = job.port;
  endpoint.state = EndpointState::unreachable;
  endpoint.addresses = resolve(job.host, endpoint.resolve_error);
  for (const std::string& address : endpoint.addresses) {
    if (address.starts_with("127.")) { endpoint.owned = true; }
    for (const InterfaceFacts& interface : interfaces) {
      endpoint.owned = endpoint.owned || interface.address == address;
    }
  }
  return endpoint;
}

void observe_gpus(const machine::MachineFacts& machine, NodeFacts& node) {
  node.gpus = machine.gpu_count();
  std::error_code ignored;
  for (const auto& gpu : fs::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    std::ifstream file(gpu.path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("Model:")) { continue; }
      std::size_t name = line.find_first_not_of(" \t", 6);
      if (name != std::string::npos) { node.gpu_names.push_back(line.substr(name)); }
    }
  }
  const nvidia::Nvml nvml;
  node.driver_version = nvml.driver_version().value_or(nvidia::version_of_kernel());
  if (const auto cuda = nvml.cuda_version()) { node.driver_cuda = nvidia::cuda_version_text(*cuda); }
}

/// Why `path` cannot be used, nullopt when it can. For writing, the nearest folder that exists counts: programs make
/// the rest.
std::optional<std::string> objection_to(const fs::path& path, bool for_writing, fs::path& existing) {
  std::error_code failure;
  existing = path;
  if (!for_writing) {
    if (::access(path.c_str(), fs::is_directory(path, failure) ? R_OK | X_OK : R_OK) == 0) { return std::nullopt; }
    return std::generic_category().message(errno);
  }
  while (!fs::exists(existing, failure) && existing.has_parent_path() && existing != existing.parent_path()) {
    existing = existing.parent_path();
  }
  if (existing.empty()) { existing = "."; }
  if (!fs::is_directory(existing, failure)) { return existing.string() + " is not a folder"; }
  if (::access(existing.c_str(), W_OK | X_OK) == 0) { return std::nullopt; }
  return existing.string() + ": " + std::generic_category().message(errno);
}

PathFacts observe_path(const std::string& option, const std::string& path, bool for_writing) {
  PathFacts facts{option, path, for_writing, false, "", 0};
  fs::path existing;
  const auto objection = objection_to(fs::absolute(path), for_writing, existing);
  facts.error = objection.value_or("");
  facts.usable = !objection;
  struct statvfs space{};
  if (facts.usable && ::statvfs(existing.c_str(), &space) == 0) {
    facts.free_bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  }
  return facts;
}

}  // namespace

std::vector<PathFacts> observe_paths(const std::vector<std::string>& program) {
  std::vector<PathFacts> paths;
  for (std::size_t at = 1; at < program.size(); ++at) {
    if (!program[at].starts_with("--")) { continue; }
    std::size_t equals = program[at].find('=');
    std::string option = program[at].substr(0, equals);
    std::replace(option.begin(), option.end(), '_', '-');
    if (equals == std::string::npos && at + 1 >= program.size()) { break; }
    std::string value = equals == std::string::npos ? program[at + 1] : program[at].substr(equals + 1);
    if (value.empty()) { continue; }
    bool is_path =
        value.find('/') == 0 || value.starts_with("./") || value.starts_with("../") || value.starts_with("~");
    const bool is_data = option == "--train-dataset" || option == "--eval-dataset" || option == "--base-dir";
    // These may also be names, of a hub or of the last checkpoint.
    const bool may_be_path = option == "--model-name" || option == "--resume-from-checkpoint";
    if (is_data || (may_be_path && is_path)) {
      const bool has_weight = option == "--train-dataset";
      paths.push_back(observe_path(option, has_weight ? command::split_weight(value).path : value, false));
    } else if (option == "--output" || option == "--output-dir") {
      paths.push_back(observe_path(option, value, true));
    }
  }
  return paths;
}

NodeFacts observe_cheaply(const JobSpec& job) {
  NodeFacts node;
  node.host = host_name();
  node.rank = job.node_rank;
  node.launcher_version = version();
  node.interfaces = observe_interfaces();
  node.endpoint = observe_endpoint(job, node.interfaces);
  node.paths = observe_paths(job.program);
  return node;
}

NodeFacts observe_node(const JobSpec& job, const machine::MachineFacts& machine) {
  NodeFacts node = observe_cheaply(job);
  observe_gpus(machine, node);
  bool limited = machine.environment.contains("CUDA_VISIBLE_DEVICES");
  node.cuda_visible_devices = limited ? variable(machine.environment, "CUDA_VISIBLE_DEVICES") : "unset";
  node.cores = static_cast<int>(machine::usable_cpus().size());
  struct statvfs memory{};
  if (::statvfs("/dev/shm", &memory) == 0) {
    node.shared_memory_bytes = static_cast<std::uint64_t>(memory.f_blocks) * memory.f_frsize;
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) { node.open_files = files.rlim_cur; }
  node.omp_threads = job.omp_threads ? *job.omp_threads : variable(machine.environment, "OMP_NUM_THREADS");
  node.nccl_interfaces = variable(machine.environment, "NCCL_SOCKET_IFNAME");
  node.gloo_interfaces = variable(machine.environment, "GLOO_SOCKET_IFNAME");
  std::string ignored;
  auto own = resolve(node.host, ignored);
  if (!own.empty()) { node.host_address = own[0]; }
  observe_program(job, machine.environment, node);
  return node;
}

}  // namespace mdl::launcher::doctor

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/doctor_deep/rank_health.hpp"

namespace mdl::launcher::doctor {

enum class EndpointState {
  unreachable,  ///< also for what another version of the doctor may say
  none,         ///< the job has no endpoint
  free,         ///< it is ours, and the port can be bound
  taken,        ///< ours, and somebody has the port
  reached,
  refused,  ///< the host answers, nothing listens
};
/// As its name, "reached".
void to_json(nlohmann::json& json, EndpointState state);
void from_json(const nlohmann::json& json, EndpointState& state);

struct InterfaceFacts {
  std::string name;
  std::string address;
  bool loopback = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(InterfaceFacts, name, address, loopback)

/// How the rendezvous endpoint looks from one node.
struct EndpointFacts {
  std::string host;
  int port = 0;
  std::vector<std::string> addresses;  ///< what the name resolves to; none where it does not
  std::string resolve_error;           ///< why it does not
  bool owned = false;                  ///< one of the addresses belongs to this node
  EndpointState state = EndpointState::none;
  std::string error;
  std::string holder;  ///< who has the port, when it is ours and taken: "nginx (process 77)"
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(EndpointFacts, host, port, addresses, resolve_error, owned, state,
                                                error, holder)

/// A file or folder that the program's arguments name.
struct PathFacts {
  std::string option;  ///< "--train-dataset"
  std::string path;
  bool for_writing = false;
  bool usable = false;
  std::string error;  ///< why not
  std::uint64_t free_bytes = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PathFacts, option, path, for_writing, usable, error, free_bytes)

/// Everything that was observed on one node. Empty texts mean "not found".
struct NodeFacts {
  std::string host;
  int rank = -1;
  std::string launcher_version;
  int gpus = 0;
  std::vector<std::string> gpu_names;
  std::string driver_version;
  std::string driver_cuda;           ///< the newest CUDA that the driver runs: "13.0"
  std::string cuda_visible_devices;  ///< "unset" when it is not set
  int cores = 1;                     ///< CPUs that this process may use
  std::uint64_t shared_memory_bytes = 0;
  std::uint64_t open_files = 0;  ///< soft limit
  std::string omp_threads;       ///< OMP_NUM_THREADS
  std::vector<InterfaceFacts> interfaces;
  std::string nccl_interfaces;  ///< NCCL_SOCKET_IFNAME
  std::string gloo_interfaces;  ///< GLOO_SOCKET_IFNAME
  std::string host_address;     ///< what this node's own name resolves to; Gloo listens there by default
  std::string program;          ///< full path of what would be started
  std::string program_kind;     ///< of one named mdl-toolkit: "the native mdl-toolkit", or whose script it is
  /// Full path of mdl-toolkit-native: beside a program named mdl-toolkit that is a script, or in PATH where that has no
  /// mdl-toolkit.
  std::string native_beside;
  std::string program_error;  ///< why it cannot be, where `program` is empty
  std::vector<std::string> missing_libraries;
  std::string
      program_problem;  ///< why it cannot start, or what mdl-toolkit says is wrong with the libraries that it needs
  std::string program_advice;
  std::string libtorch_version;
  std::string libtorch_cuda;  ///< the CUDA that the program uses through LibTorch: "13.2", "none"
  std::string nccl_version;
  EndpointFacts endpoint;
  std::vector<PathFacts> paths;
  double clock_ahead_s = 0;              ///< of the node that collects the facts, measured by it
  std::vector<std::string> unreachable;  ///< nodes that this one cannot connect to, with the reason
  int deep_ranks = -1;                   ///< --deep: processes that measure here, 0 for none; -1 without it
  doctor_deep::NodeHealth health;        ///< what they have measured
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(NodeFacts, host, rank, launcher_version, gpus, gpu_names,
                                                driver_version, driver_cuda, cuda_visible_devices, cores,
                                                shared_memory_bytes, open_files, omp_threads, interfaces,
                                                nccl_interfaces, gloo_interfaces, host_address, program, program_kind,
                                                native_beside, program_error, missing_libraries, program_problem,
                                                program_advice, libtorch_version, libtorch_cuda, nccl_version, endpoint,
                                                paths, clock_ahead_s, unreachable, deep_ranks, health)

}  // namespace mdl::launcher::doctor

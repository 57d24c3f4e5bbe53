#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdl::launcher::process {

/// Who a worker is among all workers of the job.
struct WorkerIdentity {
  int local_rank = 0;  ///< among the workers of this node
  int rank = 0;        ///< among all workers
  int role_rank = 0;   ///< among the workers of its role
};

/// What all workers of this node have in common in one attempt.
struct GroupIdentity {
  std::string role;
  std::string run_id;
  int group_rank = 0;  ///< of this node among the nodes
  int group_world_size = 1;
  int local_world_size = 1;
  int world_size = 1;
  int role_world_size = 1;
  std::string master_addr;
  std::uint16_t master_port = 0;
  bool agent_store = true;  ///< whether an agent hosts the store there
  int restart_count = 0;
  int max_restarts = 0;
  std::string signals_to_handle;
  bool virtual_local_rank = false;  ///< every worker sees one GPU, as its device 0
  std::string timer_file{};         ///< the watchdog's FIFO; empty: there is none
};

/// What one worker finds at paths of its own.
struct WorkerFiles {
  std::string error_file{};       ///< where it may describe its failure
  std::string progress_socket{};  ///< where it may say how it gets on (MDL_PROGRESS); empty: nowhere
  std::string server_socket{};    ///< where its server of torch's may listen (TORCH_WORKER_SERVER_SOCKET), or empty
};

/// The environment of one worker as NAME=VALUE: `inherited` (the launcher's own) with what torchrun 2.15 sets (run.py,
/// elastic/agent/server/local_elastic_agent.py) put over it, and MDL_PROGRESS: where there is no socket, it is taken
/// out, for an inherited one is an outer launcher's. TORCH_WORKER_SERVER_SOCKET as worker_server_socket() has it.
/// OMP_NUM_THREADS becomes 1 when it is not set and this node has several workers; TORCH_NCCL_ASYNC_ERROR_HANDLING
/// becomes 1 when it is not set. With virtual_local_rank LOCAL_RANK is 0, and CUDA_VISIBLE_DEVICES (on AMD's software
/// HIP_VISIBLE_DEVICES as well) names the worker's own device; throws UsageError when the inherited list is too short.
std::vector<std::string> worker_environment(const std::vector<std::string>& inherited, const GroupIdentity& group,
                                            const WorkerIdentity& worker, const WorkerFiles& files);

/// Where a worker's server listens: what the user has set in `inherited`, else `own`. An outer launcher's is not the
/// user's: it lies beside that one's MDL_PROGRESS, and belongs to the worker that started this launcher. The user's
/// empty text means none; torch's would fail with it. nullopt: the variable is not set.
std::optional<std::string> worker_server_socket(const std::vector<std::string>& inherited, const std::string& own);

/// Whether worker_environment() decides on OMP_NUM_THREADS, so that the launcher can say so.
bool limits_omp_threads(const std::vector<std::string>& inherited, int local_world_size);

/// The value of `name` in a list of NAME=VALUE.
std::optional<std::string> find_variable(const std::vector<std::string>& environment, const std::string& name);

}  // namespace mdl::launcher::process

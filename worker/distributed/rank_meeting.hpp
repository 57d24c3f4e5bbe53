#pragma once

#include <c10/core/Device.h>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "worker/device/device_choice.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::distributed {

/// What a rank has found and agreed on with the others, before anything is read or computed.
struct Meeting {
  at::Device device = at::kCPU;
  std::string because;                    ///< of the CPU: see device::Choice
  c10::intrusive_ptr<c10d::Store> store;  ///< of ranks that form a group; null when alone
};

/// The number of the GPU of a local rank, where this process sees so many: its own number, but the only one where there
/// is one, as with Slurm's --gpus-per-task=1. Throws UsageError where it has none.
int gpu_of(int local_rank, int gpus);

/// "GPU-1f2e3d4c-…", which no other GPU, or part of one, in the world has, of a GPU that CUDA shows this process; empty
/// where it is not known.
std::string gpu_uuid(int index);

/// Whether this process is of a group: with several ranks, or alone with MDL_FORCE_GROUP=1, so that one GPU is enough
/// to try NCCL. Throws UsageError for another value of that variable than 0 and 1, and for 1 without a launcher.
bool forms_group(const std::optional<process::WorkerEnvironment>& environment,
                 const process::Lookup& lookup = process::lookup_environment);

/// Forbids attention by cuDNN, which builds a plan for every new shape of a batch, on each thread anew; flash and
/// memory-efficient attention need none. MDL_CUDNN_ATTENTION=1 allows it, for comparing. Throws UsageError for another
/// value than 0 and 1.
void choose_attention(const process::Lookup& lookup = process::lookup_environment);

/// Whether ranks may share a GPU: not where NCCL connects them, which would say so with other words.
enum class Gpus { one_each, may_be_shared };

/// Chooses this worker's device, the GPU of its local rank or the CPU, and what computes attention there, and in a
/// group meets the others in the store: they tell each other their kinds of device before any of them makes a
/// connection for NCCL or Gloo, which would wait for each other in vain. Throws Error, on all ranks alike and with rank
/// and host, when one cannot compute as it should, the kinds differ or two have one GPU that need one each, and when a
/// rank has not come within `timeout`; UsageError when there are GPUs, but fewer than this local rank needs.
Meeting meet_ranks(const std::optional<process::WorkerEnvironment>& environment, const device::Wish& wish,
                   std::chrono::milliseconds timeout = process::kDefaultDdpTimeout, Gpus gpus = Gpus::one_each);

/// The store at MASTER_ADDR:MASTER_PORT. Throws Error naming the address when it cannot be reached within `timeout`, or
/// five minutes where that is shorter.
c10::intrusive_ptr<c10d::Store> join_store(const process::WorkerEnvironment& environment,
                                           std::chrono::milliseconds timeout);

/// Tells the others this rank's choice and hears theirs; see meet_ranks().
void agree_on_device(c10d::Store& store, const process::WorkerEnvironment& environment, const device::Choice& choice,
                     std::chrono::milliseconds timeout);

}  // namespace mdl::worker::distributed

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "worker/distributed/peer_watch.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::distributed {

/// All workers of a run, seen from one of them. Also stands for a single process, where every operation is trivial.
/// Every rank must make the same calls in the same order, from one thread.
class ProcessGroup {
 public:
  /// A run of one process.
  ProcessGroup() = default;

  /// Joins the others: NCCL when `device` is a GPU, else Gloo. Returns when all ranks are there. Throws Error naming
  /// the address when the store cannot be reached within `timeout`, or five minutes where that is shorter. An operation
  /// that others do not take part in for `timeout` throws. `store`: where the ranks have met; null: it is joined here.
  /// `backend`: for another kind of device than these two.
  ProcessGroup(const process::WorkerEnvironment& environment, at::Device device,
               std::chrono::milliseconds timeout = process::kDefaultDdpTimeout,
               c10::intrusive_ptr<c10d::Store> store = nullptr, c10::intrusive_ptr<c10d::Backend> backend = nullptr)
      : ProcessGroup(environment, device, WaitLimits{timeout}, std::move(store), std::move(backend)) {}
  ProcessGroup(const process::WorkerEnvironment& environment, at::Device device, const WaitLimits& limits,
               c10::intrusive_ptr<c10d::Store> store, c10::intrusive_ptr<c10d::Backend> backend);

  /// Frees the connections; pending operations of other ranks fail. After PeersLost it leaves that to the system: the
  /// backend's end might wait for what never comes.
  ~ProcessGroup();
  ProcessGroup(ProcessGroup&&) noexcept = default;
  ProcessGroup& operator=(ProcessGroup&&) = delete;

  /// How long a rank waits for another one's text: until the group's timeout, which is PeersLost, or for as long as
  /// that one works on it.
  enum class Patience { timeout, endless };

  int64_t rank() const { return rank_; }
  int64_t world_size() const { return world_size_; }
  bool is_first() const { return rank_ == 0; }
  /// There is no group. A group of one process does all that a larger one does.
  bool is_alone() const { return !group_; }

  /// A sum over all ranks on its way. wait() before the tensor is read.
  class PendingSum {
   public:
    explicit PendingSum(c10::intrusive_ptr<c10d::Work> work) : work_(std::move(work)) {}
    void wait();
    /// Throws when the operation has failed already: a rank is gone. Does not wait.
    void check();

   private:
    c10::intrusive_ptr<c10d::Work> work_;  ///< null: nothing to wait for
  };

  /// Starts replacing `tensor` (on the group's device) by its sum over all ranks.
  [[nodiscard]] PendingSum start_sum(at::Tensor& tensor);
  void sum(at::Tensor& tensor) { start_sum(tensor).wait(); }

  /// Announces what all ranks do together from here on, for as long as the object lives, so that it ends when a rank
  /// does not do its part: whatever waits for the others then throws, see PeerWatch, explain().
  [[nodiscard]] PeerWatch::Expectation expect(const std::string& what);

  /// What to do where a wait cannot be ended, see PeerWatch; nothing when alone.
  void when_stuck(const std::function<void(const PeersLost&)>& last_resort) {
    if (watch_) { watch_->when_stuck(last_resort); }
  }

  /// The values of a tensor of the group's device, on the CPU: the one way in which the host waits for what other ranks
  /// take part in. It does not block in the device, but looks whether it is done. Throws PeersLost when a rank is gone,
  /// at a stop signal that the others do not follow, and when nothing comes within the group's timeout.
  at::Tensor fetch(const at::Tensor& tensor);

  /// PeersLost where `error` came of other ranks; see PeerWatch::explain.
  std::optional<PeersLost> explain(const std::exception& error) const;

  /// Connects the ranks' GPUs, which NCCL else does with the first operation: a network that does not work is told
  /// before a model is read. Throws Error naming rank, host and its address. CPUs are connected already.
  void connect();

  /// The orderly end, after which there is no group: the ranks wait for rank 0, which may have files to write, in the
  /// store, so that no GPU waits; then the connections are shut down, and rank 0, which may serve the store, goes last.
  void leave(Patience patience = Patience::endless);

  /// Returns when all ranks have called it. Throws when one has ended before, or has not come after the group's
  /// timeout.
  void meet();

  /// Replaces the tensors by those of rank 0.
  void broadcast(const std::vector<at::Tensor>& tensors);

  /// Rank 0's text, on every rank. `name` is used once in a run.
  std::string share(const std::string& name, const std::string& text, Patience patience = Patience::endless);

  /// The texts of all ranks, by rank, on rank 0; nothing on the others, which do not wait. `name` is used once in a
  /// run.
  std::vector<std::string> gather(const std::string& name, const std::string& text,
                                  Patience patience = Patience::endless);

  /// gather(), but every rank gets the texts.
  std::vector<std::string> share_all(const std::string& name, const std::string& text,
                                     Patience patience = Patience::endless);

  /// 0, 1, 2, … in the order in which ranks ask, each number once: how ranks share out work of unequal length.
  int64_t next_number(const std::string& name);

  /// Leaves a text for another rank, which take()s it under the same name. Names are used once in a run.
  void post(const std::string& name, const std::string& text);

  /// What was posted under `name`, or nothing so far. Does not wait.
  std::optional<std::string> take(const std::string& name);

  /// Throws UsageError on each rank whose `facts` differ from those of rank 0: ranks that were started with different
  /// options or data would wait for each other for ever. `facts` is one "name: value" a line.
  void require_same(const std::string& facts);

  /// The group for c10d's own classes; null when alone.
  const c10::intrusive_ptr<c10d::ProcessGroup>& c10d_group() const { return group_; }

 private:
  std::string wait_for(const std::string& key, Patience patience);
  Error not_connected(const std::string& why) const;

  int64_t rank_ = 0;
  int64_t world_size_ = 1;
  at::Device device_ = at::kCPU;
  process::WorkerEnvironment environment_;
  std::map<std::string, int64_t> numbers_;  ///< next_number()'s of a single process
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::unique_ptr<PeerWatch> watch_;  ///< null when alone
};

/// Whether `device` computes in bfloat16 (a GPU of compute capability 8.0 or newer; as a CPU has no fast bfloat16: no).
bool prefers_bf16(at::Device device);

/// "Tesla T4 of compute capability 7.5" where `device` is a GPU that does not compute in bfloat16; else empty.
std::string describe_gpu_without_bf16(at::Device device);

}  // namespace mdl::worker::distributed

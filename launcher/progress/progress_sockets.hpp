#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/progress/progress_folder.hpp"
#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::progress {

/// Hears what the workers of one attempt say of their progress, each at a socket of its own: so a message needs no name
/// and no credentials, and a worker that follows its own environment cannot speak for another. (Who may open another
/// one's socket is the same user, who may do anything to that worker.) Costs nothing while nobody sends.
///
/// A worker that says something more than ten times a second is looked at once in 25 ms (50 ms where the kernel queues
/// 40 datagrams or more), or in 5 ms where its queue has become half full: then what is queued is taken, and what is
/// beyond RankProgress's limit counted. Its messages do not wake this process. So the cost is bounded, and memory by
/// RankProgress and the kernel's queue.
class ProgressSockets {
 public:
  /// Called after messages were taken: the local rank, and how many of its messages have been wrong so far.
  using OnMessage = std::function<void(int local_rank, std::int64_t wrong)>;

  /// Makes the sockets of so many workers in `folder`, which must outlive this; none where that cannot be, which is
  /// logged. `on_message` is called from the loop of `io` as long as this lives.
  ProgressSockets(asio::io_context& io, const ProgressFolder& folder, int workers, OnMessage on_message);
  /// Removes them, and the sockets of the workers' servers beside them.
  ~ProgressSockets();
  ProgressSockets(const ProgressSockets&) = delete;
  ProgressSockets& operator=(const ProgressSockets&) = delete;

  /// By local rank; empty when there are none.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  std::vector<RankSummary> summaries(std::chrono::steady_clock::time_point now) const;

 private:
  struct Ear;
  struct Hall;
  std::vector<std::filesystem::path> paths_{};
  std::shared_ptr<Hall> hall_;
};

}  // namespace mdl::launcher::progress

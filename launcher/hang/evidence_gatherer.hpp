#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/hang/evidence.hpp"
#include "launcher/process/worker_group.hpp"
#include "launcher/progress/progress_teller.hpp"

namespace mdl::launcher::hang {

/// Looks at this node's workers while the job hangs. Never sends a signal.
class EvidenceGatherer {
 public:
  /// The workers of now; null between two attempts.
  using Group = std::function<const process::WorkerGroup*()>;
  /// How long the kernel is looked at, for the CPU time that processes use in it.
  static constexpr std::chrono::milliseconds kLook{1000};
  /// How long the workers' servers are waited for after that, in all: they are asked at the same time.
  static constexpr std::chrono::milliseconds kServers{2500};

  /// `own` knows who the workers are. All must outlive the coroutines.
  EvidenceGatherer(asio::io_context& io, const progress::ProgressTeller& own, Group group)
      : io_(io), own_(own), group_(std::move(group)) {}

  /// A new attempt: the port of the workers' store, and where each worker's server of torch's may listen, by local
  /// rank; an empty path: nowhere.
  void begin(std::uint16_t store_port, std::vector<std::filesystem::path> servers);
  /// Takes kLook and kServers at most. In answer to the request of that number. Workers that have ended are shown with
  /// how they did; without ranks: there are no workers, or those of another attempt came meanwhile.
  asio::awaitable<NodeEvidence> gather(std::int64_t request) const;

 private:
  struct Answers;
  static asio::awaitable<void> ask_traceback(std::shared_ptr<Answers> answers, std::size_t local_rank,
                                             std::filesystem::path socket);
  static asio::awaitable<void> ask_server(std::shared_ptr<Answers> answers, std::size_t local_rank,
                                          std::filesystem::path socket);
  /// What their servers say.
  asio::awaitable<void> ask_servers(std::vector<RankEvidence>& ranks) const;

  asio::io_context& io_;
  const progress::ProgressTeller& own_;
  const Group group_;
  std::uint16_t store_port_ = 0;
  std::vector<std::filesystem::path> servers_{};
};

}  // namespace mdl::launcher::hang

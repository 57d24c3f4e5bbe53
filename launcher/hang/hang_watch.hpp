#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/hang/evidence_gatherer.hpp"
#include "launcher/hang/hang_report.hpp"
#include "launcher/hang/hang_rule.hpp"
#include "launcher/job/store_link.hpp"
#include "launcher/process/worker_group.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/watch/job_view.hpp"
#include "rendezvous/server/store_wait.hpp"

namespace mdl::launcher::hang {

/// What a watch may do, and ask, of the agent that it is part of.
struct HangSurroundings {
  std::string job{};
  job::PlaceOfStore place{};
  /// Who waits in the workers' store; none where this node does not host it.
  std::function<std::vector<rendezvous::server::StoreWait>()> store_waits{};
  /// Where reports are to be written, which stay; empty: nowhere.
  std::function<std::filesystem::path()> folder{};
  /// An event of the kind "hang"; with the facts where one begins.
  std::function<void(const std::string& text, std::optional<progress::HangFacts> facts)> happened{};
  /// Ends the workers because of a hang.
  std::function<void(const process::JobHang& hang)> end_workers{};
};

/// Tells of a job that hangs, from the node that watches it: asks all nodes what their workers do, waits for the
/// answers for 10 s at most, and tells the verdict and the ranks in the log, in the run's folder (hang_NUMBER.txt) and
/// as an event; once for each hang. With the user's limit it ends the workers, after the report.
class HangWatch {
 public:
  static constexpr std::chrono::milliseconds kAnswers{10'000};

  /// `gatherer` and what `around` refers to must outlive `io`'s coroutines.
  HangWatch(asio::io_context& io, const EvidenceGatherer& gatherer, HangLimits limits, HangSurroundings around);
  ~HangWatch();
  HangWatch(const HangWatch&) = delete;
  HangWatch& operator=(const HangWatch&) = delete;

  /// A new attempt.
  void begin(watch::WatchedRound round);
  /// The attempt is over, or its workers are being stopped: nothing is told any more.
  void end();
  /// For watch::JobWatch.
  std::chrono::milliseconds look(const watch::JobView& view);

 private:
  struct Session;
  static asio::awaitable<void> report(std::shared_ptr<Session> session);

  asio::io_context& io_;
  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::hang

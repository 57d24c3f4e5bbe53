#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/gpus/gpu_watch.hpp"
#include "launcher/hang/evidence_gatherer.hpp"
#include "launcher/hang/evidence_giver.hpp"
#include "launcher/hang/hang_watch.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/output/run_folder.hpp"
#include "launcher/process/worker_group.hpp"
#include "launcher/progress/progress_teller.hpp"
#include "launcher/straggler/straggler_teller.hpp"
#include "launcher/watch/job_watch.hpp"

namespace mdl::launcher {

/// How the job gets on, as far as its workers say it: hears those of this node and tells the other nodes; on the node
/// that watches the job, looks whether it hangs, and with --hang-timeout ends this node's workers then, and which ranks
/// are slow. Nothing of it keeps the job from going on.
class JobWatcher {
 public:
  /// The workers of now; null between two attempts.
  using Group = std::function<process::WorkerGroup*()>;

  /// All must outlive this, and `io`'s coroutines end before it. `changed` is notified when workers are given up.
  JobWatcher(asio::io_context& io, const command_line::LaunchPlan& plan, const job::JobRendezvous& rendezvous,
             output::RunFolder& folder, Group group, loop::Notifier& changed);

  /// Tells the other nodes, and `status`, what happens.
  progress::ProgressTeller& teller() { return teller_; }

  /// The workers of `round` are about to start. Returns the path of each one's socket by local rank, or nothing where
  /// there can be none.
  std::vector<std::filesystem::path> begin(const job::Round& round);
  /// The workers are being stopped: nobody judges them any more.
  void stop();
  /// The attempt is over.
  void end();

 private:
  hang::HangSurroundings surroundings(const job::JobRendezvous& rendezvous, output::RunFolder& folder);
  void end_workers(const process::JobHang& hang);
  void watch_gpus();
  void warn_of_silence();
  std::vector<std::filesystem::path> server_sockets(const std::vector<std::filesystem::path>& sockets) const;

  asio::io_context& io_;
  const command_line::LaunchPlan& plan_;
  const Group group_;
  loop::Notifier& changed_;
  const hang::HangLimits limits_;
  progress::ProgressTeller teller_;
  watch::JobWatch watch_;
  hang::EvidenceGatherer gatherer_;
  hang::EvidenceGiver giver_;
  hang::HangWatch hangs_;
  straggler::StragglerTeller stragglers_;
  std::optional<gpus::GpuWatch> gpus_{};  ///< from the first word of a worker on
  asio::steady_timer silence_;
  bool warned_ = false;
};

}  // namespace mdl::launcher

#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/loop/asio.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/dashboard/dashboard_service.hpp"
#include "launcher/dashboard/stderr_giver.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/metrics/metrics_service.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/status/job_sign.hpp"

namespace mdl::launcher {

/// How others find a job, and what they can see of it, by means of this agent: beside its store.
class PublicView {
 public:
  /// All references must outlive this, and the coroutines of `io` end before.
  PublicView(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
             const output::OutputMux& output);
  PublicView(const PublicView&) = delete;
  PublicView& operator=(const PublicView&) = delete;

  /// This node's workers of that round are started.
  void workers_begin(const job::Round& round, int workers) {
    stderr_.begin({round.group_rank, round.ranks.base_global_rank, workers});
  }

  /// This launcher ends, by a signal or of itself (""); those who look at its page are told, unless they know already.
  asio::awaitable<void> launcher_ends(std::string signal) { return dashboard_.launcher_ends(std::move(signal)); }

 private:
  void store_is_reached(job::StoreHost host);

  asio::io_context& io_;
  const command_line::LaunchPlan& plan_;
  const job::JobRendezvous& rendezvous_;
  metrics::MetricsService metrics_;
  dashboard::DashboardService dashboard_;
  dashboard::StderrGiver stderr_;
  std::optional<status::JobSign> sign_{};
};

}  // namespace mdl::launcher

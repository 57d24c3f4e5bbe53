#pragma once

#include "common/loop/asio.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/dashboard/dashboard_service.hpp"
#include "launcher/dashboard/stderr_giver.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/metrics/metrics_service.hpp"
#include "launcher/output/output_mux.hpp"

namespace mdl::launcher {

/// What others can see of a job by means of this agent, beside its store.
class PublicView {
 public:
  /// All references must outlive this, and the coroutines of `io` end before.
  PublicView(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
             const output::OutputMux& output)
      : metrics_(io, plan, rendezvous),
        dashboard_(io, plan, rendezvous),
        stderr_(
            io, command_line::run_id_of(plan.store), [&rendezvous] { return rendezvous.store_place(); },
            [&output](int local_rank) { return output.last_stderr_lines(local_rank); }) {
    rendezvous.when_store_is_reached([this](job::StoreHost host) {
      metrics_.store_is_reached(host);
      dashboard_.store_is_reached(host);
    });
  }
  PublicView(const PublicView&) = delete;
  PublicView& operator=(const PublicView&) = delete;

  /// This node's workers of that round are started.
  void workers_begin(const job::Round& round, int workers) {
    stderr_.begin({round.group_rank, round.ranks.base_global_rank, workers});
  }

 private:
  metrics::MetricsService metrics_;
  dashboard::DashboardService dashboard_;
  dashboard::StderrGiver stderr_;
};

}  // namespace mdl::launcher

#pragma once

#include "common/loop/asio.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/metrics/metrics_service.hpp"

namespace mdl::launcher {

/// What others can see of a job by means of this agent, beside its store.
class PublicView {
 public:
  /// All references must outlive this, and the coroutines of `io` end before.
  PublicView(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous)
      : metrics_(io, plan, rendezvous) {
    rendezvous.when_store_is_reached([this](job::StoreHost host) { metrics_.store_is_reached(host); });
  }
  PublicView(const PublicView&) = delete;
  PublicView& operator=(const PublicView&) = delete;

 private:
  metrics::MetricsService metrics_;
};

}  // namespace mdl::launcher

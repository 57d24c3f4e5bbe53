#pragma once

#include <optional>

#include "common/loop/asio.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/http/http_server.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/metrics/metrics_page.hpp"

namespace mdl::launcher::metrics {

/// --metrics-port: the job's metrics, at the agent that hosts its store; where torchrun's does, at each of ours that
/// has the option. So one command for all nodes opens one port. Says where, or why not here.
class MetricsService {
 public:
  /// Does nothing unless `plan` has the option. All references must outlive this, and the coroutines of `io` end
  /// before.
  MetricsService(asio::io_context& io, const command_line::LaunchPlan& plan, const job::JobRendezvous& rendezvous)
      : io_(io), plan_(plan), rendezvous_(rendezvous) {}

  /// It is known whose agent hosts the store of the job; again after each time that it was looked for anew. Throws
  /// Error when the port cannot be had.
  void store_is_reached(job::StoreHost host);

 private:
  void open();

  asio::io_context& io_;
  const command_line::LaunchPlan& plan_;
  const job::JobRendezvous& rendezvous_;
  std::optional<MetricsPage> page_{};
  std::optional<http::HttpServer> server_{};
  bool said_where_ = false;  ///< that it is another node
};

}  // namespace mdl::launcher::metrics

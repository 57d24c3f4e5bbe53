#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/dashboard/access_token.hpp"
#include "launcher/dashboard/job_feed.hpp"
#include "launcher/dashboard/page.hpp"
#include "launcher/dashboard/stderr_asker.hpp"
#include "launcher/http/http_server.hpp"
#include "launcher/job/job_rendezvous.hpp"

namespace mdl::launcher::dashboard {

/// --dashboard: a page that shows the job, at the agent that hosts its store; where torchrun's does, at each of ours
/// that has the option. On loopback alone it is open to this machine; elsewhere only to who has its whole address.
class DashboardService {
 public:
  /// Does nothing unless `plan` has the option. All references must outlive this, and the coroutines of `io` end
  /// before.
  DashboardService(asio::io_context& io, const command_line::LaunchPlan& plan, const job::JobRendezvous& rendezvous)
      : io_(io), plan_(plan), rendezvous_(rendezvous) {}

  /// It is known whose agent hosts the store of the job; again after each time that it was looked for anew. Throws
  /// Error when the port cannot be had.
  void store_is_reached(job::StoreHost host);
  /// As JobFeed::launcher_ends().
  asio::awaitable<void> launcher_ends(std::string signal);

 private:
  using Answer = asio::awaitable<http::Response>;

  void open();
  http::HttpServer::Handler guarded(Answer (DashboardService::*handler)(http::Request));
  Answer answer_page(http::Request request);
  Answer answer_events(http::Request request);
  Answer answer_stderr(http::Request request);

  asio::io_context& io_;
  const command_line::LaunchPlan& plan_;
  const job::JobRendezvous& rendezvous_;
  Page page_{};
  std::optional<AccessToken> token_{};
  std::optional<JobFeed> feed_{};
  std::optional<StderrAsker> asker_{};
  std::optional<http::HttpServer> server_{};
};

}  // namespace mdl::launcher::dashboard

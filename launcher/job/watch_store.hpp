#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/static_keys.hpp"
#include "launcher/job/store_place.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::job {

/// The store of a job of one node for what is told of it: rounds, progress, events, its end, with the keys of a static
/// job. The workers have another one, which begins anew with each attempt. It is on loopback, at any free port, for
/// those who prove a secret that this process has made up (StorePlace::made_up_secret).
class WatchStore {
 public:
  /// Null, and a line of the log, where it cannot be had: the job does without.
  static std::unique_ptr<WatchStore> open(asio::io_context& io, const std::string& run_id);

  const StorePlace& place() const { return place_; }
  void round_begins(std::int64_t round, const rendezvous::c10d::RoleInfo& workers);
  void succeeded();
  void failed(const report::RootCause& cause);
  /// See wait_for_watchers().
  asio::awaitable<void> outlast_watchers();

 private:
  WatchStore(asio::io_context& io, const std::string& run_id, std::string secret);

  const std::string run_id_;
  const StaticKeys keys_;
  const FailureBoard board_;
  StorePlace place_;
  rendezvous::server::TcpStoreServer server_;
};

}  // namespace mdl::launcher::job

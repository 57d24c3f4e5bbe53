#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/client/host_lease.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::job {

/// The store that the workers of a c10d job meet at, as this node has to do with it: the first node of a round hosts
/// it, the others may have to hold a lease there for their workers (StoreGuard).
class WorkerStore {
 public:
  /// Without `agent_store` the first worker hosts it, at a port that this only finds.
  WorkerStore(asio::io_context& io, bool agent_store) : io_(io), agent_store_(agent_store) {}

  /// This node is the first of a new round; the workers of all nodes come by `addr`. So all nodes have stopped their
  /// workers, and nobody uses the store of the last round any more: it begins anew, empty, at the same port (torchrun's
  /// agents keep the port of the first round). Throws Error when the port cannot be had.
  Endpoint open(const rendezvous::c10d::C10dJob& job, const std::string& addr);
  /// Another node is the first; its store is at `store`. Throws as TcpStoreClient::connect does.
  asio::awaitable<void> hold_lease(const rendezvous::c10d::C10dJob& job, Endpoint store);
  /// Until the next round.
  void release_lease() { lease_.reset(); }
  /// Waits until nobody is connected to the store that this node hosts, if it does, at the longest until `deadline`.
  asio::awaitable<void> outlast_clients(loop::Notifier::Clock::time_point deadline);
  /// Who waits in the store that this node hosts; nobody where it hosts none.
  std::vector<rendezvous::server::StoreWait> waits(std::size_t most) const {
    return server_ ? server_->waits(most) : std::vector<rendezvous::server::StoreWait>();
  }

 private:
  asio::io_context& io_;
  const bool agent_store_;
  std::unique_ptr<rendezvous::client::HostLease> lease_;      ///< where another node hosts it and there is a secret
  std::optional<rendezvous::server::TcpStoreServer> server_;  ///< while this node is or was the first
};

}  // namespace mdl::launcher::job

#pragma once

#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::rendezvous::c10d {

/// The host's side of every rendezvous in one store: replies to the agents of ours that call it (service_message.hpp)
/// and keeps the state of each job in the store, where torch's agents read and change it at any time. In the server's
/// io_context.
///
/// What has come is folded into the state in turns, which are the further apart the longer one takes: a thousand agents
/// that join at once cost some dozen versions of the state, not a thousand.
class RendezvousService {
 public:
  /// Begins to reply. `server` must outlive this; `run_id` is the --rdzv-id of the agent whose process this is.
  RendezvousService(asio::io_context& io, server::TcpStoreServer& server, std::string run_id);
  ~RendezvousService();
  RendezvousService(const RendezvousService&) = delete;
  RendezvousService& operator=(const RendezvousService&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mdl::rendezvous::c10d

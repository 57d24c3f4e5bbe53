#pragma once

#include <cstdint>

#include "rendezvous/c10d/rendezvous_client.hpp"
#include "rendezvous/c10d/service_connection.hpp"
#include "rendezvous/c10d/service_message.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// The client of an agent whose store is hosted by one of ours: calls the RendezvousService there, and waits for its
/// replies.
class ServiceClient final : public RendezvousClient {
 public:
  /// `store` is a connection to the host at `host`.
  ServiceClient(C10dJob job, NodeDesc self, Endpoint host, client::TcpStoreClient store,
                const asio::any_io_executor& executor);

  asio::awaitable<RendezvousRound> next_round() override;
  asio::awaitable<RoundEvent> watch() override;
  void stop_watching() override;
  asio::awaitable<void> leave() override;
  asio::awaitable<void> close() override;

 private:
  using Clock = std::chrono::steady_clock;
  using Kind = ServiceReply::Kind;

  ServiceRequest request(ServiceRequest::Intent intent) const;
  asio::awaitable<void> give_up_joining();
  asio::awaitable<void> end(ServiceRequest::Intent intent);
  /// How long the host may be silent.
  std::chrono::milliseconds host_timeout_in_round() const;
  std::chrono::milliseconds host_timeout() const { return std::max(host_timeout_in_round(), job().read_timeout); }

  ServiceConnection connection_;
  std::uint64_t ticket_ = 0;  // of the last join
  bool stop_ = false;
};

}  // namespace mdl::rendezvous::c10d

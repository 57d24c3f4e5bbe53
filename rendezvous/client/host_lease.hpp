#pragma once

#include <chrono>
#include <memory>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"

namespace mdl::rendezvous::client {

/// The admission of this host to another node's store: a proven connection that stands for as long as this lives, and
/// for as long the store lets in the plain clients of this host (StoreGuard), the workers. Made anew when it breaks.
class HostLease {
 public:
  /// Connects. Throws as TcpStoreClient::connect does.
  static asio::awaitable<std::unique_ptr<HostLease>> open(Endpoint store, access::StoreCredential credential,
                                                          std::chrono::milliseconds timeout);
  /// Closes the connection.
  ~HostLease();
  HostLease(const HostLease&) = delete;
  HostLease& operator=(const HostLease&) = delete;

 private:
  struct State;
  explicit HostLease(std::shared_ptr<State> state);
  static asio::awaitable<void> hold(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace mdl::rendezvous::client

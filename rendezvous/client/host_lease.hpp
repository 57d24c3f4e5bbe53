#pragma once

#include <chrono>
#include <memory>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"

namespace mdl::rendezvous::client {

/// A proven connection to another node's store that stands for as long as this lives, so that the store lets in the
/// plain clients of this host (StoreGuard): the workers. Made anew when it breaks.
class HeldDoor {
 public:
  /// Connects. Throws as TcpStoreClient::connect does.
  static asio::awaitable<std::unique_ptr<HeldDoor>> open(Endpoint store, access::StoreCredential credential,
                                                         std::chrono::milliseconds timeout);
  /// Closes the connection.
  ~HeldDoor();
  HeldDoor(const HeldDoor&) = delete;
  HeldDoor& operator=(const HeldDoor&) = delete;

 private:
  struct State;
  explicit HeldDoor(std::shared_ptr<State> state);
  static asio::awaitable<void> hold(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace mdl::rendezvous::client

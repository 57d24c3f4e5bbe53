#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "common/loop/asio.hpp"
#include "launcher/job/store_place.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// A connection of its own to the job's store, wherever that is now; for one coroutine at a time.
class StoreLink {
 public:
  static constexpr std::chrono::milliseconds kTimeout{2000};

  /// `timeout`: for connecting, and for each answer.
  explicit StoreLink(PlaceOfStore place, std::chrono::milliseconds timeout = kTimeout)
      : place_(std::move(place)), timeout_(timeout) {}

  /// Connects where that has not been done, or the store is elsewhere by now. Throws Error.
  asio::awaitable<void> open();
  /// After open() or an error of what was asked.
  bool is_open() const { return store_.has_value(); }
  rendezvous::client::TcpStoreClient& store() { return *store_; }
  const Endpoint& address() const { return connected_to_; }
  void close() { store_.reset(); }

 private:
  const PlaceOfStore place_;
  const std::chrono::milliseconds timeout_;
  std::optional<rendezvous::client::TcpStoreClient> store_{};
  Endpoint connected_to_{};
};

}  // namespace mdl::launcher::job

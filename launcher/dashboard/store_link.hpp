#pragma once

#include <functional>
#include <optional>

#include "common/loop/asio.hpp"
#include "launcher/job/store_place.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::dashboard {

/// A connection to the job's store, wherever that is now; for one coroutine at a time.
class StoreLink {
 public:
  /// Where the store is; nullopt: nowhere just now.
  using Place = std::function<std::optional<job::StorePlace>()>;

  explicit StoreLink(Place place) : place_(std::move(place)) {}

  /// Connects where that has not been done, or the store is elsewhere by now. Throws Error.
  asio::awaitable<void> open();
  /// After open() or an error of what was asked.
  bool is_open() const { return store_.has_value(); }
  rendezvous::client::TcpStoreClient& store() { return *store_; }
  const Endpoint& address() const { return connected_to_; }
  void close() { store_.reset(); }

 private:
  const Place place_;
  std::optional<rendezvous::client::TcpStoreClient> store_{};
  Endpoint connected_to_{};
};

}  // namespace mdl::launcher::dashboard

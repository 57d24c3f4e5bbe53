#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"
#include "rendezvous/client/connect_failure.hpp"
#include "rendezvous/client/store_connection.hpp"

namespace mdl::rendezvous::c10d {

/// Looks for a new connection to a host, attempt after attempt, beside whatever else goes on: until there is one, or
/// nobody listens there any more, or who listens there does not have the same secret, or it is stopped.
class ServiceDialer {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// How long an attempt may take while the host does not answer; a link that heals is found within this.
  static constexpr Milliseconds kAttemptTimeout{1000};
  /// Between two attempts.
  static constexpr Milliseconds kPause{100};

  /// `reply_timeout`: for the introduction, once there is a connection.
  ServiceDialer(const asio::any_io_executor& executor, Endpoint host, access::StoreCredential credential,
                Milliseconds reply_timeout);
  /// Stops.
  ~ServiceDialer();
  ServiceDialer(const ServiceDialer&) = delete;
  ServiceDialer& operator=(const ServiceDialer&) = delete;

  /// Begins, unless it has begun already.
  void start();
  /// Gives up; what was found is closed.
  void stop();
  /// Whether it has begun, and been neither stopped nor taken from.
  bool dialling() const { return search_ != nullptr; }

  /// The connection that was found, introduced and idle, and the end of dialling; null while there is none.
  std::unique_ptr<client::StoreConnection> take();
  /// Why the last attempt since start() has failed; nothing while none has. ConnectFailure::Kind::refused is the end.
  std::optional<client::ConnectFailure> failure() const;
  /// Throws the StoreAccessError with which an attempt has ended, if one has.
  void rethrow_access_error() const;

 private:
  struct Search;
  static asio::awaitable<void> dial(std::shared_ptr<Search> search);

  const asio::any_io_executor executor_;
  const Endpoint host_;
  const access::StoreCredential credential_;
  const Milliseconds reply_timeout_;
  std::shared_ptr<Search> search_;
};

}  // namespace mdl::rendezvous::c10d

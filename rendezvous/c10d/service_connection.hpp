#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/c10d/service_message.hpp"
#include "rendezvous/client/store_connection.hpp"

namespace mdl::rendezvous::c10d {

/// An agent's connection to a host of ours (service_message.hpp): sends calls, gives signs of life while it waits for
/// the replies, and dials anew when the connection breaks or falls silent, so that a link which is cut for a while
/// costs nothing. One coroutine at a time, except for interrupt().
class ServiceConnection {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  /// How long an attempt to connect may take while the host does not reply; a link that heals is found within this.
  static constexpr Milliseconds kDialTimeout{1000};

  /// `settings` as in the requests: they say how often to give signs of life. `connection` is one to `host` that has
  /// been introduced, or null.
  ServiceConnection(const asio::any_io_executor& executor, Endpoint host, access::StoreCredential credential,
                    const RendezvousSettings& settings, std::unique_ptr<client::StoreConnection> connection);
  ~ServiceConnection();
  ServiceConnection(const ServiceConnection&) = delete;
  ServiceConnection& operator=(const ServiceConnection&) = delete;

  /// The first reply to the request that says something; Kind::none when there is none by `deadline` or interrupt() was
  /// called. The number in `request` is set here. Throws StoreConnectionError, naming the host, as soon as nobody
  /// listens at its address any more, and when it has not answered for `host_timeout`; StoreAccessError when who
  /// listens there now does not have the same secret.
  asio::awaitable<ServiceReply> call(ServiceRequest request, Clock::time_point deadline, Milliseconds host_timeout);
  /// Ends call() soon.
  void interrupt();

 private:
  struct Dial;

  asio::awaitable<void> send();
  asio::awaitable<std::optional<ServiceReply>> receive(Milliseconds at_most);
  asio::awaitable<void> sleep(Milliseconds time);
  void start_dialling();
  void stop_dialling();
  static asio::awaitable<void> dial(std::shared_ptr<Dial> dial);
  [[noreturn]] void fail(const std::string& reason) const;

  const asio::any_io_executor executor_;
  const Endpoint host_;
  const access::StoreCredential credential_;
  const Milliseconds heartbeat_;      // how often to call
  const Milliseconds reply_timeout_;  // an answer that takes longer makes it dial
  std::unique_ptr<client::StoreConnection> connection_;
  std::shared_ptr<Dial> dial_;
  asio::steady_timer pause_;
  ServiceRequest request_;
  std::uint64_t next_number_ = 1;
  bool call_pending_ = false;                           // a call is pending on connection_
  std::optional<Clock::time_point> reply_due_since_{};  // when the host was asked for what it has to answer at once
  bool calling_ = false;
  bool receiving_ = false;  // waits for an answer to begin
  bool interrupted_ = false;
};

}  // namespace mdl::rendezvous::c10d

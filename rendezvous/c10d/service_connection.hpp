#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/c10d/service_dialer.hpp"
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

  /// `settings` as in the requests: they say how often to give signs of life. `connection` is one to `host` that has
  /// been introduced, or null.
  ServiceConnection(const asio::any_io_executor& executor, Endpoint host, access::StoreCredential credential,
                    const RendezvousSettings& settings, std::unique_ptr<client::StoreConnection> connection);

  /// The first reply to the request that says something; Kind::none when there is none by `deadline` or interrupt() was
  /// called. The number in `request` is set here. Throws StoreConnectionError, naming the host, as soon as nobody
  /// listens at its address any more, and when it has not answered for `host_timeout`; StoreAccessError when who
  /// listens there now does not have the same secret.
  asio::awaitable<ServiceReply> call(ServiceRequest request, Clock::time_point deadline, Milliseconds host_timeout);
  /// Ends call() soon.
  void interrupt();

 private:
  void begin_call(ServiceRequest request);
  void take_new_connection();
  void check_host(Milliseconds host_timeout);
  asio::awaitable<std::optional<ServiceReply>> exchange(Clock::time_point deadline);
  asio::awaitable<void> send();
  asio::awaitable<std::optional<ServiceReply>> receive(Milliseconds at_most);
  bool note_reply(const ServiceReply& reply);
  asio::awaitable<void> sleep(Milliseconds time);
  [[noreturn]] void fail(const std::string& reason) const;

  const Endpoint host_;
  const Milliseconds heartbeat_;      // how often to send
  const Milliseconds reply_timeout_;  // a reply that takes longer makes it dial
  ServiceDialer dialer_;
  std::unique_ptr<client::StoreConnection> connection_;
  asio::steady_timer pause_;
  std::uint64_t next_number_ = 1;
  bool call_pending_ = false;                           // on connection_, of which the host owes no reply yet
  std::optional<Clock::time_point> reply_due_since_{};  // when the host was asked for what it has to answer at once
  bool receiving_ = false;                              // waits for a reply to begin
  bool interrupted_ = false;

  // The call that goes on:
  bool calling_ = false;
  ServiceRequest request_;
  std::uint64_t first_number_ = 0;                   // of its requests
  std::optional<Clock::time_point> next_send_{};     // nothing: at once
  std::optional<Clock::time_point> silent_since_{};  // the host
  std::optional<std::string> failure_{};             // of the connection or of dialling, the last one; for people
};

}  // namespace mdl::rendezvous::c10d

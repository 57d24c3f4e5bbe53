#pragma once

#include <chrono>
#include <optional>
#include <random>

#include "rendezvous/c10d/rendezvous_client.hpp"
#include "rendezvous/c10d/shared_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// How long an agent backs off after another one has changed the state before it: any time up to `most`
/// (cas_backoff_max_seconds), so that those whose compare_set failed do not meet again at once; nothing where `most` is
/// 0.
std::chrono::milliseconds compare_set_backoff(RendezvousSettings::Duration most, std::minstd_rand& random);

/// The client of an agent whose store is hosted by one of torch's: as they do, it changes the state itself, with
/// compare_set, and polls it. All agents contend for the state, so this is for few nodes.
class CompareSetClient final : public RendezvousClient {
 public:
  /// `store` is a connection to the host at `host`.
  CompareSetClient(C10dJob job, NodeDesc self, Endpoint host, client::TcpStoreClient store,
                   const asio::any_io_executor& executor);

  asio::awaitable<RendezvousRound> next_round() override;
  asio::awaitable<RoundEvent> watch() override;
  void stop_watching() override;
  asio::awaitable<void> leave() override;
  asio::awaitable<void> close() override;

 private:
  using Clock = std::chrono::steady_clock;

  asio::awaitable<void> run(RendezvousIntent intent, Clock::time_point deadline);
  asio::awaitable<void> sleep(std::chrono::milliseconds time);
  asio::awaitable<void> back_off();
  asio::awaitable<std::optional<client::StoreConnectionError>> send_heartbeat();
  asio::awaitable<void> reconnect();
  void adopt(client::TcpStoreClient store);
  [[noreturn]] void fail(RendezvousAction action, RendezvousIntent intent) const;
  std::chrono::milliseconds watch_interval() const;

  const Endpoint host_;
  client::TcpStoreClient store_;
  SharedRendezvousState shared_;
  asio::steady_timer pause_;
  std::int64_t round_ = 0;
  std::int64_t members_ = 0;  // of round_
  bool stop_ = false;
};

}  // namespace mdl::rendezvous::c10d

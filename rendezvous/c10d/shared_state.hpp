#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/loop/asio.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// The state of one job's rendezvous in a store: read, and replaced only when nobody else has replaced it in between.
class SharedRendezvousState {
 public:
  /// `store` must outlive this.
  SharedRendezvousState(client::TcpStoreClient& store, const std::string& run_id);

  /// Asks the store.
  asio::awaitable<void> read();
  /// Puts `next` in place of value(). True when it is there now; else value() has become what another node has written,
  /// or a new state when the store has lost the old one (it was started again).
  asio::awaitable<bool> replace(RendezvousState next);

  /// The state as of the last read() or replace().
  const RendezvousState& value() const { return state_; }

 private:
  void take(std::string stored);

  client::TcpStoreClient& store_;
  const std::string key_;
  std::string stored_;  // as it lies in the store: what compare_set expects
  RendezvousState state_;
};

inline constexpr std::string_view kStateKeyPrefix = "torch.rendezvous.";

/// "torch.rendezvous.JOB": where the state of a job's rendezvous lies.
std::string state_key(const std::string& run_id);
/// "torch.rendezvous.JOB.ROUND/": what the keys of a round begin with.
std::string round_prefix(const std::string& run_id, std::int64_t round);

}  // namespace mdl::rendezvous::c10d

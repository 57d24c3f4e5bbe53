#pragma once

#include <cstdint>
#include <deque>

#include "common/loop/asio.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/farewell.hpp"
#include "rendezvous/c10d/round_keys.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// What the rounds that are over have left in the store of the rendezvous, which would grow with every restart.
class RoundRemains {
 public:
  /// `board` must outlive this.
  explicit RoundRemains(const FailureBoard& board) : board_(board), farewell_(board) {}

  /// This node is the first of round `number`, and says where its workers meet.
  void published_master(std::int64_t number) { mastered_.push_back(number); }
  /// The next store begins empty.
  void store_is_gone() { mastered_.clear(); }
  /// In `now`, the round that has begun: removes what earlier ones have left, but for the last one, which a node that
  /// has not noticed its end may still read. Each node removes what it has published; the first one the rest. Throws
  /// StoreConnectionError.
  asio::awaitable<void> clear_up(rendezvous::client::TcpStoreClient& store, rendezvous::c10d::RendezvousRound now);

 private:
  const FailureBoard& board_;
  const Farewell farewell_;
  std::deque<std::int64_t> mastered_;  ///< rounds in which this node was the first, the oldest first
};

}  // namespace mdl::launcher::job

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/log.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// Two keys of the store with which the agents of a round tell one of them that each has taken note of something.
struct Signatures {
  std::string count;  ///< how many have signed
  std::string full;   ///< set by the last one
};

/// This agent signs, once only, as one of `agents`. May throw StoreConnectionError.
asio::awaitable<void> sign(rendezvous::client::TcpStoreClient& store, Signatures list, std::int64_t agents);

/// Waits until all have signed; false when they have not by `timeout`. May throw StoreConnectionError.
asio::awaitable<bool> wait_for_all(rendezvous::client::TcpStoreClient& store, Signatures list,
                                   std::chrono::milliseconds timeout);

/// The same where whoever has not read of `whose` end is not waited for any longer. `place` has wait_for_signatures().
template <typename Place>
asio::awaitable<void> wait_for_readers(const Place& place, rendezvous::client::TcpStoreClient& store,
                                       std::int64_t round, const char* whose) {
  // Each agent looks as often as it watches.
  constexpr std::chrono::milliseconds kReadersTimeout{5000};
  const bool all = co_await place.wait_for_signatures(store, round, kReadersTimeout);
  if (!all) { log::info("some nodes have not taken notice of ", whose, " end; not waiting any longer"); }
}

}  // namespace mdl::launcher::job

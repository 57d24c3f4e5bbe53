#pragma once

#include <chrono>
#include <cstdint>
#include <string>

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

}  // namespace mdl::launcher::job

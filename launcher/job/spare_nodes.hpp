#pragma once

#include <chrono>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// Before the store of a job that has ended goes with its host: waits until the nodes that stand by have heard of the
/// end and left, for at most `timeout`. (Those of torchrun do not leave, but look once a second.) Throws
/// StoreConnectionError.
asio::awaitable<void> wait_for_spares(rendezvous::client::TcpStoreClient& store, std::string run_id,
                                      std::chrono::milliseconds timeout);

}  // namespace mdl::launcher::job

#pragma once

#include <chrono>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/client/tcp_store_client.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::job {

/// Before the store of a job that has ended goes with its host: waits until the nodes that stand by have heard of the
/// end and left, for at most `timeout`, and those who watch the job (`status --watch`) have read it, for at most
/// kWatchersTimeout. (torchrun's spare nodes do not leave, but look once a second.) Throws StoreConnectionError.
asio::awaitable<void> wait_for_spares(rendezvous::client::TcpStoreClient& store, std::string run_id,
                                      std::chrono::milliseconds timeout);

inline constexpr std::chrono::milliseconds kWatchersTimeout{1000};

/// Where the number of those who watch a job is; there is none before the first has come.
std::string watchers_key(const std::string& run_id);

/// Counts one more who watches the job, or one less (-1). False where others have put there what is no number: it stays
/// as it is, and the host of the store does not wait. Throws StoreConnectionError.
asio::awaitable<bool> count_watcher(rendezvous::client::TcpStoreClient& store, std::string run_id, std::int64_t change);
/// What people are told then.
void warn_of_uncounted(const std::string& run_id);

/// The same as wait_for_spares() for a store of this process where no node stands by.
asio::awaitable<void> wait_for_watchers(const rendezvous::server::TcpStoreServer& store, std::string run_id);

}  // namespace mdl::launcher::job

#include "launcher/worker_store.hpp"

#include <utility>

#include "rendezvous/listen_address.hpp"

namespace mdl::launcher {
namespace {

constexpr std::chrono::milliseconds kRestForClients{100};

/// Who comes to the endpoint by a name may come from another network than the one that this node's address is of.
ListenScope scope_of(const C10dJob& job) {
  const bool by_name = !is_address(job.endpoint.host) && job.endpoint.host != "localhost";
  return job.listen == ListenScope::as_given && by_name ? ListenScope::any : job.listen;
}

}  // namespace

Endpoint WorkerStore::open(const C10dJob& job, const std::string& addr) {
  const std::uint16_t port = server_ ? server_->port() : 0;
  server_.reset();
  TcpStoreServerOptions options;
  options.guard = job.guard;
  const ListenAddress where = ListenAddress::of_store(addr, scope_of(job), job.guard != nullptr);
  server_.emplace(io_, where, port, options);
  server_->start();
  Endpoint own(addr, server_->port());
  if (!agent_store_) server_.reset();  // the port is free for the first worker
  return own;
}

asio::awaitable<void> WorkerStore::hold_door(const C10dJob& job, Endpoint store) {
  if (!job.guard) co_return;
  const StoreCredential credential = credential_of(job);
  std::unique_ptr<HeldDoor> door = co_await HeldDoor::open(std::move(store), credential, job.read_timeout);
  door_ = std::move(door);
}

asio::awaitable<void> WorkerStore::outlast_clients(Notifier::Clock::time_point deadline) {
  asio::steady_timer rest(io_);
  while (server_ && server_->client_count() > 0 && Notifier::Clock::now() < deadline) {
    rest.expires_after(kRestForClients);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::launcher

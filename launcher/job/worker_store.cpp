#include "launcher/job/worker_store.hpp"

#include <utility>

#include "rendezvous/server/listen_address.hpp"

namespace mdl::launcher::job {
namespace {

constexpr std::chrono::milliseconds kRestForClients{100};

/// Who comes to the endpoint by a name may come from another network than the one that this node's address is of.
rendezvous::server::ListenScope scope_of(const rendezvous::c10d::C10dJob& job) {
  const bool by_name = !is_address(job.endpoint.host) && job.endpoint.host != "localhost";
  return job.listen == rendezvous::server::ListenScope::as_given && by_name ? rendezvous::server::ListenScope::any
                                                                            : job.listen;
}

}  // namespace

Endpoint WorkerStore::open(const rendezvous::c10d::C10dJob& job, const std::string& addr) {
  const std::uint16_t port = server_ ? server_->port() : 0;
  server_.reset();
  rendezvous::server::TcpStoreServerOptions options;
  options.guard = job.guard;
  const rendezvous::server::ListenAddress where =
      rendezvous::server::ListenAddress::of_store(addr, scope_of(job), job.guard != nullptr);
  server_.emplace(io_, where, port, options);
  server_->start();
  Endpoint own(addr, server_->port());
  if (!agent_store_) {
    server_.reset();  // the port is free for the first worker
  }
  return own;
}

asio::awaitable<void> WorkerStore::hold_lease(const rendezvous::c10d::C10dJob& job, Endpoint store) {
  if (!job.guard) { co_return; }
  const rendezvous::access::StoreCredential credential = rendezvous::c10d::credential_of(job);
  std::unique_ptr<rendezvous::client::HostLease> lease =
      co_await rendezvous::client::HostLease::open(std::move(store), credential, job.read_timeout);
  lease_ = std::move(lease);
}

asio::awaitable<void> WorkerStore::outlast_clients(loop::Notifier::Clock::time_point deadline) {
  asio::steady_timer rest(io_);
  while (server_ && server_->client_count() > 0 && loop::Notifier::Clock::now() < deadline) {
    rest.expires_after(kRestForClients);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::launcher::job

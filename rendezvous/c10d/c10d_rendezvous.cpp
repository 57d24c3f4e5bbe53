#include "rendezvous/c10d/c10d_rendezvous.hpp"

#include <unistd.h>

#include <utility>

#include "common/host.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/c10d/compare_set_client.hpp"
#include "rendezvous/c10d/rendezvous_report.hpp"
#include "rendezvous/c10d/rendezvous_service.hpp"
#include "rendezvous/c10d/service_client.hpp"
#include "rendezvous/c10d/service_message.hpp"
#include "rendezvous/c10d/shared_state.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::rendezvous::c10d {
namespace {

// To look, after a failure, whether it has to do with other jobs.
constexpr std::chrono::milliseconds kLookTimeout{2000};

/// The host's own address, for the others, is the name by which they reach it.
std::string node_addr(const C10dJob& job, bool hosts, const client::TcpStoreClient& store) {
  if (job.local_addr) { return *job.local_addr; }
  return hosts ? job.endpoint.host : store.local_address();
}

server::TcpStoreServerOptions options_of(const C10dJob& job) {
  server::TcpStoreServerOptions options;
  options.guard = job.guard;
  options.members_only = true;
  return options;
}

/// The store of a rendezvous, and the service that goes with it.
struct HostedStore {
  HostedStore(asio::io_context& io, const C10dJob& job)
      : where(server::ListenAddress::of_store(job.endpoint.host, job.listen, job.guard != nullptr)),
        server(io, where, job.endpoint.port, options_of(job)),
        service(io, server, job.run_id) {
    server.start();
  }
  Endpoint from_here() const { return Endpoint(where.from_here(local_addresses()), server.port()); }

  const server::ListenAddress where;
  server::TcpStoreServer server;
  RendezvousService service;
};

struct Hosting {
  std::unique_ptr<HostedStore> store;
  std::optional<std::string> failure{};  // of this machine's try to host it
};

Hosting host_store(const C10dJob& job, asio::io_context& io) {
  Hosting hosting;
  if (!job.is_host.value_or(is_this_machine(job.endpoint.host))) { return hosting; }
  try {
    hosting.store = std::make_unique<HostedStore>(io, job);
  } catch (const Error& error) {
    // Another agent on this machine may be the host.
    if (job.is_host) { throw; }
    log::info("rendezvous \"", job.run_id, "\": does not host the store: ", error.what());
    hosting.failure = error.what();
  }
  return hosting;
}

std::string why_unreachable(const C10dJob& job, const std::optional<std::string>& hosting_failure,
                            client::ConnectFailure::Kind kind) {
  if (hosting_failure) {
    return str_cat("Nothing there answers as a store of PyTorch's, and this machine could not host one: ",
                   *hosting_failure);
  }
  if (kind == client::ConnectFailure::Kind::refused) {
    return str_cat("A machine answers there, but no store at port ", job.endpoint.port,
                   ": start a node of the job on it; if one runs, it may listen on other addresses of that machine "
                   "only: give that node --rdzv-conf listen=any. The addresses of this machine are ",
                   joined(local_addresses()), ".");
  }
  return str_cat("The node that owns ", job.endpoint.host,
                 " hosts the store; this machine does not take it for its own: its addresses are ",
                 joined(local_addresses()),
                 ". Check that a node of the job owns it, or give that node --rdzv-conf is_host=true.");
}

/// The other jobs whose rendezvous lie in the same store, as far as that can be told.
asio::awaitable<std::vector<std::string>> other_jobs(Endpoint store, access::StoreCredential credential,
                                                     std::string run_id) {
  std::vector<std::string> others;
  try {
    RendezvousReport report =
        co_await read_rendezvous(std::move(store), std::move(credential), std::move(run_id), kLookTimeout);
    others = std::move(report.other_jobs);
  } catch (const Error& error) { log::info("looking for other jobs: ", error.what()); }
  co_return others;
}

/// Other nodes wait elsewhere when this one has another job's name.
void warn_of_other_jobs(const C10dJob& job, const std::vector<std::string>& others) {
  if (others.empty()) { return; }
  log::warning("the store at ", to_string(job.endpoint), " holds the rendezvous of --rdzv-id ", joined(others),
               ", and nobody of \"", job.run_id,
               "\" has been there yet. If this node belongs to that job, give it the same --rdzv-id");
}

/// Says so when only other jobs' nodes have been at the store. Where one of ours hosts it, `service` names a job of it.
asio::awaitable<void> look_for_other_jobs(client::TcpStoreClient& store, const C10dJob& job,
                                          const std::optional<ServiceAnnouncement>& service) {
  std::vector<std::string> ids;
  if (service) {
    ids.push_back(service->run_id);
  } else {
    const std::vector<std::string> keys = co_await store.list_keys();
    ids = rendezvous_ids(keys);
  }
  std::erase(ids, job.run_id);
  if (ids.empty()) { co_return; }
  std::vector<std::string> own;
  own.push_back(state_key(job.run_id));
  const bool somebody = co_await store.check(std::move(own));
  if (!somebody) { warn_of_other_jobs(job, ids); }
}

/// Throws StoreUnreachableError that says what to look for, given why this machine did not host the store, if it tried.
asio::awaitable<client::TcpStoreClient> connect_store(const C10dJob& job, const Endpoint& address,
                                                      const std::optional<std::string>& hosting_failure,
                                                      std::shared_ptr<client::ConnectProgress> progress) {
  const access::StoreCredential credential = credential_of(job);
  try {
    client::TcpStoreClient store =
        co_await client::TcpStoreClient::connect(address, credential, job.read_timeout, std::move(progress));
    co_return store;
  } catch (const client::StoreUnreachableError& error) {
    throw client::StoreUnreachableError(str_cat("rendezvous \"", job.run_id, "\": ", error.problem()),
                                        why_unreachable(job, hosting_failure, error.kind()), error.kind());
  }
}

}  // namespace

class C10dRendezvous::Impl {
 public:
  Impl(std::unique_ptr<HostedStore> hosted, bool ours, Endpoint address, std::unique_ptr<RendezvousClient> client)
      : hosted_(std::move(hosted)), ours_(ours), address_(std::move(address)), client_(std::move(client)) {}

  RendezvousClient& client() { return *client_; }
  bool hosts_store() const { return hosted_ != nullptr; }
  bool host_is_ours() const { return ours_; }
  const Endpoint& address() const { return address_; }

 private:
  std::unique_ptr<HostedStore> hosted_;  // where this node hosts the store
  const bool ours_;
  const Endpoint address_;
  std::unique_ptr<RendezvousClient> client_;
};

C10dRendezvous::C10dRendezvous(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
C10dRendezvous::~C10dRendezvous() = default;

asio::awaitable<std::unique_ptr<C10dRendezvous>> C10dRendezvous::open(
    C10dJob job, std::shared_ptr<client::ConnectProgress> progress) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto& io = static_cast<asio::io_context&>(executor.context());
  auto [hosted, hosting_failure] = host_store(job, io);
  const Endpoint address = hosted ? hosted->from_here() : job.endpoint;
  client::TcpStoreClient store = co_await connect_store(job, address, hosting_failure, std::move(progress));
  NodeDesc self{node_addr(job, hosted != nullptr, store), ::getpid(), job.local_id};
  const std::optional<std::string> announced = co_await store.get_now(std::string(kServiceKey));
  const std::optional<ServiceAnnouncement> service = announced ? read_service_announcement(*announced) : std::nullopt;
  co_await look_for_other_jobs(store, job, service);
  std::unique_ptr<RendezvousClient> client;
  if (service) {
    client = std::make_unique<ServiceClient>(std::move(job), std::move(self), address, std::move(store), executor);
  } else {
    client = std::make_unique<CompareSetClient>(std::move(job), std::move(self), address, std::move(store), executor);
  }
  auto impl = std::make_unique<Impl>(std::move(hosted), service.has_value(), address, std::move(client));
  co_return std::unique_ptr<C10dRendezvous>(new C10dRendezvous(std::move(impl)));
}

const NodeDesc& C10dRendezvous::self() const {
  return impl_->client().self();
}
bool C10dRendezvous::hosts_store() const {
  return impl_->hosts_store();
}
bool C10dRendezvous::host_is_ours() const {
  return impl_->host_is_ours();
}
const Endpoint& C10dRendezvous::address() const {
  return impl_->address();
}
std::chrono::steady_clock::time_point C10dRendezvous::join_deadline() const {
  return impl_->client().join_deadline();
}

asio::awaitable<client::TcpStoreClient> C10dRendezvous::connect() {
  const C10dJob& job = impl_->client().job();
  return client::TcpStoreClient::connect(impl_->address(), credential_of(job), job.read_timeout);
}

asio::awaitable<client::TcpStoreClient::Attempt> C10dRendezvous::try_connect(std::chrono::milliseconds timeout) {
  return client::TcpStoreClient::try_connect(impl_->address(), credential_of(impl_->client().job()), timeout);
}

asio::awaitable<RendezvousRound> C10dRendezvous::next_round() {
  std::optional<RendezvousError> failure;
  try {
    RendezvousRound round = co_await impl_->client().next_round();
    co_return round;
  } catch (const RendezvousError& error) { failure = error; }
  if (failure->reason() != RendezvousError::Reason::timed_out) { throw *failure; }
  const C10dJob& job = impl_->client().job();
  const access::StoreCredential credential = credential_of(job);
  const std::vector<std::string> others = co_await other_jobs(impl_->address(), credential, job.run_id);
  if (others.empty()) { throw *failure; }
  throw RendezvousError(
      RendezvousError::Reason::timed_out,
      str_cat(failure->problem(), "; nodes with --rdzv-id ", joined(others), " have been at the same endpoint"),
      "All nodes of a job need the same --rdzv-id.");
}
asio::awaitable<RoundEvent> C10dRendezvous::watch() {
  return impl_->client().watch();
}
void C10dRendezvous::stop_watching() {
  impl_->client().stop_watching();
}
asio::awaitable<void> C10dRendezvous::leave() {
  return impl_->client().leave();
}
asio::awaitable<void> C10dRendezvous::close() {
  return impl_->client().close();
}

}  // namespace mdl::rendezvous::c10d

#include "rendezvous/c10d_rendezvous.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/shared_state.hpp"
#include "rendezvous/tcp_store_server.hpp"

namespace mdl {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Reason = RendezvousError::Reason;

// A node that waits for others looks at the state this often: soon for few nodes, and less often the more there are,
// because all of them look and the state grows with them.
constexpr milliseconds kLookInterval{50};
constexpr milliseconds kLookIntervalPerNode{1};
constexpr milliseconds kLongestLookInterval{1000};

RendezvousMoment moment() {
  return {std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()), Clock::now()};
}

milliseconds look_interval(const RendezvousState& state) {
  const auto nodes = static_cast<std::int64_t>(state.participants.size() + state.wait_list.size());
  return std::min(kLongestLookInterval, kLookInterval + nodes * kLookIntervalPerNode);
}

std::string own_addresses() {
  std::string text;
  for (const std::string& address : local_addresses()) text += (text.empty() ? "" : ", ") + address;
  return text;
}

/// The host's own address, for the others, is the name by which they reach it.
std::string node_addr(const C10dJob& job, bool hosts, const TcpStoreClient& store) {
  if (job.local_addr) return *job.local_addr;
  return hosts ? job.endpoint.host : store.local_address();
}

std::unique_ptr<TcpStoreServer> host_store(const C10dJob& job, asio::io_context& io) {
  if (!job.is_host.value_or(is_this_machine(job.endpoint.host))) return nullptr;
  try {
    auto server = std::make_unique<TcpStoreServer>(io, ListenAddress::any(), job.endpoint.port);
    server->start();
    return server;
  } catch (const Error& error) {
    // Another agent on this machine may be the host.
    if (job.is_host) throw;
    log::info("rendezvous \"", job.run_id, "\": does not host the store: ", error.what());
    return nullptr;
  }
}

}  // namespace

class C10dRendezvous::Impl {
 public:
  Impl(C10dJob job, std::unique_ptr<TcpStoreServer> server, TcpStoreClient store, Endpoint address,
       asio::any_io_executor executor)
      : job_(std::move(job)),
        server_(std::move(server)),
        address_(std::move(address)),
        store_(std::move(store)),
        shared_(store_, job_.run_id),
        pause_(std::move(executor)) {
    self_ = {node_addr(job_, server_ != nullptr, store_), ::getpid(), job_.local_id};
  }

  /// Looks at the state and changes it until `wish` has come true. Throws RendezvousError when it does not.
  asio::awaitable<void> run(RendezvousWish wish, Clock::time_point deadline) {
    co_await shared_.read();
    while (true) {
      RendezvousStep step = rendezvous_step(shared_.value(), self_, wish, moment(), deadline, job_.settings);
      if (step.action == RendezvousAction::done) co_return;
      if (step.action == RendezvousAction::write) {
        const bool written = co_await shared_.replace(std::move(step.state));
        if (!written) continue;
        log::debug("rendezvous \"", job_.run_id, "\", round ", shared_.value().round, ": ", to_string(self_), " ",
                   step.change);
        if (step.renews_deadline) deadline = Clock::now() + job_.settings.join_timeout;
      } else if (step.action == RendezvousAction::wait) {
        const auto idle =
            std::chrono::ceil<milliseconds>(next_look(step.state, self_, moment(), deadline, job_.settings));
        const milliseconds limit = look_interval(step.state);
        co_await rest(std::min(idle, limit));
        co_await shared_.read();
      } else {
        fail(step.action, wish);
      }
    }
  }

  asio::awaitable<RendezvousRound> next_round() {
    const auto deadline = Clock::now() + job_.settings.join_timeout;
    co_await run(RendezvousWish::leave, deadline);
    co_await run(RendezvousWish::join, deadline);
    const RendezvousState& state = shared_.value();
    members_ = static_cast<std::int64_t>(state.participants.size());
    round_ = state.round;
    RendezvousRound round;
    round.run_id = job_.run_id;
    round.number = round_;
    round.rank = state.participants.at(self_);
    round.nodes = members_;
    for (const auto& [node, rank] : state.participants) {
      if (rank == 0) round.first_addr = node.addr;
    }
    co_return round;
  }

  asio::awaitable<RoundEvent> watch(milliseconds interval) {
    watching_ = true;
    while (watching_) {
      // As torch's: a heartbeat that cannot be written in time is no reason to end; the next one may be.
      co_await run(RendezvousWish::keep_alive, Clock::now() + job_.settings.keep_alive_interval);
      RendezvousState state = shared_.value();
      drop_dead_nodes(state, moment().utc, job_.settings);
      if (state.closed) co_return RoundEvent::closed;
      if (state.round != round_ || !state.participants.contains(self_)) co_return RoundEvent::dropped;
      if (static_cast<std::int64_t>(state.participants.size()) < members_) co_return RoundEvent::node_lost;
      if (!state.wait_list.empty()) co_return RoundEvent::nodes_waiting;
      co_await rest(interval);
    }
    co_return RoundEvent::stopped;
  }
  void stop_watching() {
    watching_ = false;
    pause_.cancel();
  }

  const C10dJob& job() const { return job_; }
  const NodeDesc& self() const { return self_; }
  bool hosts_store() const { return server_ != nullptr; }
  const Endpoint& address() const { return address_; }

 private:
  asio::awaitable<void> rest(milliseconds time) {
    boost::system::error_code cancelled;
    pause_.expires_after(time);
    co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }

  [[noreturn]] void fail(RendezvousAction action, RendezvousWish wish) const {
    const std::string job = str_cat("rendezvous \"", job_.run_id, "\" at ", to_string(address_), ": ");
    if (action == RendezvousAction::closed) {
      throw RendezvousError(Reason::closed, job + "it is closed: the job has ended",
                            "Start a new job under another --rdzv-id.");
    }
    if (action == RendezvousAction::left_out) {
      throw RendezvousError(Reason::left_out, job + "the job has ended without need of this spare node");
    }
    if (wish != RendezvousWish::join)
      throw RendezvousError(Reason::timed_out, job + "the others changed it all the time");
    const std::chrono::duration<double> tried = job_.settings.join_timeout;
    throw RendezvousError(
        Reason::timed_out,
        str_cat(job, "no complete round after ", tried.count(), " s: ", shared_.value().participants.size(),
                " of at least ", job_.settings.min_nodes, " nodes were there"),
        "Check that the other nodes run with the same --rdzv-id, --rdzv-endpoint and --nnodes, or allow more "
        "time with --rdzv-conf join_timeout=SECONDS.");
  }

  const C10dJob job_;
  std::unique_ptr<TcpStoreServer> server_;  // where this node hosts the store
  const Endpoint address_;
  TcpStoreClient store_;
  SharedRendezvousState shared_;
  asio::steady_timer pause_;
  NodeDesc self_;
  std::int64_t round_ = 0;
  std::int64_t members_ = 0;  // of round_
  bool watching_ = false;
};

C10dRendezvous::C10dRendezvous(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
C10dRendezvous::~C10dRendezvous() = default;

asio::awaitable<std::unique_ptr<C10dRendezvous>> C10dRendezvous::open(C10dJob job) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto& io = static_cast<asio::io_context&>(executor.context());
  std::unique_ptr<TcpStoreServer> server = host_store(job, io);
  const Endpoint address = server ? Endpoint("127.0.0.1", server->port()) : job.endpoint;
  std::string failure;
  std::optional<TcpStoreClient> store;
  try {
    store = co_await TcpStoreClient::connect(address, job.read_timeout);
  } catch (const StoreConnectionError& error) {
    failure = error.what();
  }
  if (!store) {
    throw StoreConnectionError(
        str_cat("rendezvous \"", job.run_id, "\": ", failure.substr(0, failure.find('\n'))),
        str_cat("The node that owns ", job.endpoint.host,
                " hosts the store; this machine does not take it for its own: its addresses are ", own_addresses(),
                ". Check that a node of the job owns it, or give that node "
                "--rdzv-conf is_host=true."));
  }
  auto impl = std::make_unique<Impl>(std::move(job), std::move(server), std::move(*store), address, executor);
  co_return std::unique_ptr<C10dRendezvous>(new C10dRendezvous(std::move(impl)));
}

const NodeDesc& C10dRendezvous::self() const {
  return impl_->self();
}
bool C10dRendezvous::hosts_store() const {
  return impl_->hosts_store();
}
std::uint16_t C10dRendezvous::port() const {
  return impl_->address().port;
}

asio::awaitable<TcpStoreClient> C10dRendezvous::connect() {
  return TcpStoreClient::connect(impl_->address(), impl_->job().read_timeout);
}

asio::awaitable<RendezvousRound> C10dRendezvous::next_round() {
  return impl_->next_round();
}
asio::awaitable<RoundEvent> C10dRendezvous::watch(milliseconds interval) {
  return impl_->watch(interval);
}
void C10dRendezvous::stop_watching() {
  impl_->stop_watching();
}

asio::awaitable<void> C10dRendezvous::leave() {
  return impl_->run(RendezvousWish::leave, Clock::now() + impl_->job().settings.close_timeout);
}
asio::awaitable<void> C10dRendezvous::close() {
  return impl_->run(RendezvousWish::close, Clock::now() + impl_->job().settings.close_timeout);
}

}  // namespace mdl

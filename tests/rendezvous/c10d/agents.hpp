#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/c10d/rendezvous_service.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::test {

using namespace rendezvous::c10d;
using namespace std::chrono_literals;

/// What hosts the store: one of torch's agents, where all contend for the state, or one of ours, that is called.
enum class Host { torchs, ours };

/// A store and the agents of a job, all in the test's one loop. Agents are coroutines; the test is over when all have
/// ended.
class Agents {
 public:
  Agents(Host host, std::int64_t min_nodes, std::int64_t max_nodes)
      : server_(io_, rendezvous::server::ListenAddress::loopback(), 0) {
    if (host == Host::ours) { host_.emplace(io_, server_, "job"); }
    server_.start();
    job.run_id = "job";
    job.endpoint = Endpoint("127.0.0.1", server_.port());
    job.is_host = false;
    job.settings.min_nodes = min_nodes;
    job.settings.max_nodes = max_nodes;
    job.settings.last_call_timeout = 200ms;
  }

  using Body = std::function<asio::awaitable<void>(C10dRendezvous&)>;

  /// Opens the rendezvous as node `id` of `job` as it is now, and runs `body`.
  void start(std::int64_t id, Body body) {
    ++running_;
    C10dJob own = job;
    own.local_id = id;
    asio::co_spawn(io_, run(std::move(own), std::move(body)), [this](const std::exception_ptr& error) {
      if (error && !failure_) { failure_ = error; }
      if (--running_ == 0 || failure_) { io_.stop(); }
    });
  }
  void finish() {
    io_.run();
    if (failure_) { std::rethrow_exception(failure_); }
  }

  asio::io_context& io() { return io_; }

  C10dJob job;

 private:
  static asio::awaitable<void> run(C10dJob own, Body body) {
    const auto rendezvous = co_await C10dRendezvous::open(own);
    co_await body(*rendezvous);
  }

  asio::io_context io_;
  rendezvous::server::TcpStoreServer server_;
  std::optional<RendezvousService> host_;
  int running_ = 0;
  std::exception_ptr failure_;
};

/// Others of the same loop get their turn.
inline asio::awaitable<void> a_moment() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
}

/// Until another agent of the same loop has set `flag`.
inline asio::awaitable<void> until(const bool& flag) {
  while (!flag) { co_await a_moment(); }
}

}  // namespace mdl::test

#include "tests/bench/rendezvous_bench.hpp"

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <set>
#include <vector>

#include "common/error.hpp"
#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/c10d/rendezvous_service.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/bench/latencies.hpp"
#include "tests/bench/stdin_end.hpp"

namespace mdl::bench {
namespace {

rendezvous::c10d::C10dJob job_of(std::uint16_t port, std::size_t agents, std::size_t index) {
  rendezvous::c10d::C10dJob job;
  job.run_id = "bench";
  job.endpoint = Endpoint("127.0.0.1", port);
  job.settings.min_nodes = job.settings.max_nodes = static_cast<std::int64_t>(agents);
  job.local_addr = "127.0.0.1";
  job.is_host = false;
  job.read_timeout = std::chrono::minutes(5);
  job.local_id = static_cast<std::int64_t>(index);
  return job;
}

/// What an agent does once it is in a round: tells the number of its workers, and is told their ranks and where they
/// meet.
asio::awaitable<rendezvous::c10d::AssignedRanks> share(rendezvous::c10d::C10dRendezvous& rendezvous,
                                                       rendezvous::c10d::RendezvousRound round) {
  constexpr std::chrono::minutes kTimeout{5};
  rendezvous::client::TcpStoreClient store = co_await rendezvous.connect();
  std::optional<Endpoint> own;
  if (round.rank == 0) { own.emplace("127.0.0.1", 1); }
  if (own) { co_await rendezvous::c10d::share_master(store, round, own, kTimeout); }
  rendezvous::c10d::RoleInfo info;
  info.role = "default";
  info.rank = round.rank;
  info.local_world_size = 1;
  const rendezvous::c10d::AssignedRanks assigned = co_await rendezvous::c10d::share_ranks(store, round, info, kTimeout);
  if (!own) { co_await rendezvous::c10d::share_master(store, round, own, kTimeout); }
  co_return assigned;
}

}  // namespace

void host_rendezvous(std::uint16_t port) {
  asio::io_context io;
  rendezvous::server::TcpStoreServer server(io, rendezvous::server::ListenAddress::loopback(), port);
  const rendezvous::c10d::RendezvousService host(io, server, "bench");
  server.start();
  std::puts("ready");
  std::fflush(stdout);
  asio::co_spawn(io, wait_for_stdin_to_end(io), [&](const std::exception_ptr&) { io.stop(); });
  io.run();
}

void join_rendezvous(std::uint16_t port, std::size_t agents) {
  asio::io_context io;
  // They live on until all have joined: an agent that goes away would leave the round.
  std::vector<std::unique_ptr<rendezvous::c10d::C10dRendezvous>> joined(agents);
  std::set<std::int64_t> ranks;
  std::set<std::int64_t> worker_ranks;
  asio::steady_timer all_joined(io, asio::steady_timer::time_point::max());
  std::exception_ptr failure;
  const auto start = Clock::now();
  double until_joined = 0;
  for (std::size_t i = 0; i < agents; ++i) {
    asio::co_spawn(
        io,
        [&, i]() -> asio::awaitable<void> {
          joined[i] = co_await rendezvous::c10d::C10dRendezvous::open(job_of(port, agents, i));
          const rendezvous::c10d::RendezvousRound round = co_await joined[i]->next_round();
          ranks.insert(round.rank);
          if (ranks.size() == agents) {
            until_joined = seconds_since(start);
            all_joined.cancel();
          } else {
            boost::system::error_code cancelled;
            co_await all_joined.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
          }
          const rendezvous::c10d::AssignedRanks assigned = co_await share(*joined[i], round);
          worker_ranks.insert(assigned.base_global_rank);
          if (worker_ranks.size() == agents) { io.stop(); }
        },
        [&](std::exception_ptr error) {
          if (!error) { return; }
          failure = std::move(error);
          io.stop();
        });
  }
  io.run();
  const double elapsed = seconds_since(start);
  if (failure) { std::rethrow_exception(failure); }
  if (worker_ranks.size() != agents) { throw Error("two agents have been given the same rank"); }
  std::printf("{\"seconds\": %.6g, \"with_worker_ranks\": %.6g}\n", until_joined, elapsed);
}

}  // namespace mdl::bench

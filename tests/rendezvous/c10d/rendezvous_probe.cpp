// An agent without workers, for tests in Python beside real torchrun agents: joins a job, tells what it was given, and
// meets the others at the exit barrier. Usage: rendezvous_probe HOST:PORT JOB NODES WORKERS host|join
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace {

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace std::chrono_literals;

asio::awaitable<void> take_part(asio::io_context& io, C10dJob job, std::int64_t workers) {
  const auto rendezvous = co_await C10dRendezvous::open(std::move(job));
  const RendezvousRound round = co_await rendezvous->next_round();
  TcpStoreClient store = co_await rendezvous->connect();

  // As torch's first agent: a store of its own for the workers.
  TcpStoreServer workers_store(io, ListenAddress::any(), 0);
  workers_store.start();
  std::optional<Endpoint> own;
  if (round.rank == 0) { own.emplace(rendezvous->self().addr, workers_store.port()); }
  const Endpoint master = co_await share_master(store, round, own, 60s);
  RoleInfo info;
  info.role = "default";
  info.rank = round.rank;
  info.local_world_size = workers;
  const AssignedRanks ranks = co_await share_ranks(store, round, info, 60s);
  std::printf("round %lld node %lld of %lld ranks from %lld of %lld master %s\n", static_cast<long long>(round.number),
              static_cast<long long>(round.rank), static_cast<long long>(round.nodes),
              static_cast<long long>(ranks.base_global_rank), static_cast<long long>(ranks.global_world_size),
              to_string(master).c_str());
  std::fflush(stdout);
  const bool all = co_await exit_barrier(store, round, 60s);
  std::printf("%s\n", all ? "all are through" : "others are missing");
  workers_store.stop();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) { return 2; }
  C10dJob job;
  job.endpoint = parse_endpoint(argv[1], kC10dPort);
  job.run_id = argv[2];
  job.settings.min_nodes = job.settings.max_nodes = std::stoll(argv[3]);
  job.local_addr = "127.0.0.1";
  job.is_host = std::string(argv[5]) == "host";
  asio::io_context io;
  std::exception_ptr failure;
  asio::co_spawn(io, take_part(io, job, std::stoll(argv[4])), [&](std::exception_ptr error) {
    failure = std::move(error);
    io.stop();
  });
  io.run();
  try {
    if (failure) { std::rethrow_exception(failure); }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

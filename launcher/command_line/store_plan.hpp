#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/endpoint.hpp"
#include "launcher/command_line/options.hpp"
#include "rendezvous/access/store_guard.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::launcher::command_line {

using rendezvous::c10d::C10dJob;

/// One node, which has nobody to agree with: only a store that its own workers meet at.
struct LocalStore {
  std::string run_id;
  std::string address = "localhost";  ///< what the workers are told
  std::uint16_t port = 0;             ///< 0: any free one
  bool agent_store = true;            ///< false: the first worker hosts the store at the port that it is told
  rendezvous::server::ListenScope listen = rendezvous::server::ListenScope::here;  ///< of --rdzv-conf
  std::shared_ptr<rendezvous::access::StoreGuard> guard{};  ///< who may talk to the store; null: everybody
};

/// --rdzv-backend static: nodes that know their ranks, and a store that node 0 hosts.
struct StaticJob {
  std::string run_id;
  Endpoint master;  ///< where the store is
  int nodes = 1;
  int node_rank = 0;
  std::chrono::milliseconds timeout{900'000};  ///< of --rdzv-conf: for the nodes to find each other; torchrun's default
  rendezvous::server::ListenScope listen = rendezvous::server::ListenScope::as_given;  ///< of --rdzv-conf
  std::shared_ptr<rendezvous::access::StoreGuard> guard{};                             ///< as in LocalStore
};

/// How the workers of a job get a store to meet at.
using StorePlan = std::variant<LocalStore, StaticJob, C10dJob>;

/// The store of a job. As torchrun: --standalone, and one node without an endpoint or a port, mean a free port on this
/// host and a fresh run id; one node that names its endpoint with c10d meets there, so that a second agent of the job
/// waits rather than does the same work again; --rdzv-backend static takes --master-addr and --master-port (29500), or
/// --rdzv-endpoint in their place. `fresh_id` is used where the run id is made up. Throws UsageError for an unknown
/// backend, an endpoint without a port, a node rank that is not below the number of nodes, and --rdzv-conf that is not
/// KEY=VALUE,…. Does not read the secret.
StorePlan plan_store(const LaunchOptions& options, const std::string& fresh_id);

/// Reads the secret file that --rdzv-conf names, if it names one, and sets up the guard of the job's stores. Throws
/// UsageError (read_store_secret).
void load_secret(StorePlan& plan, const std::string& rdzv_conf);

/// What --rdzv-conf says of secret_file; empty when it says nothing. Throws as plan_store does.
std::string secret_file_of(const std::string& rdzv_conf);

/// What --rdzv-conf says of plain_clients. Throws as plan_store does.
std::vector<rendezvous::access::AddressRange> plain_clients_of(const std::string& rdzv_conf);

/// The identity of the job, given to workers as TORCHELASTIC_RUN_ID.
const std::string& run_id_of(const StorePlan& plan);

/// "static" or "c10d", as torchrun's events name it: --standalone and its like are c10d there.
std::string backend_of(const StorePlan& plan);

/// Where these stores listen (ListenAddress::of_store).
rendezvous::server::ListenAddress listen_address(const LocalStore& store);
rendezvous::server::ListenAddress listen_address(const StaticJob& job);

}  // namespace mdl::launcher::command_line

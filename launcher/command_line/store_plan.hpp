#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "launcher/command_line/options.hpp"
#include "rendezvous/access/store_guard.hpp"
#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::launcher::command_line {

/// Where the store that the workers meet at listens, and how they are told.
struct StorePlan {
  rendezvous::server::ListenScope listen = rendezvous::server::ListenScope::here;  ///< of --rdzv-conf
  std::uint16_t port = 0;                                                          ///< 0: any free one
  std::string master_addr = "localhost";
  std::string run_id;
  int nodes = 1;  ///< above 1: a static rendezvous at master_addr:port, which node 0 hosts
  int node_rank = 0;
  bool agent_store = true;    ///< false: the first worker hosts the store at the port it is told; never so for static
  std::string secret_file{};  ///< of --rdzv-conf; empty: none
  std::vector<rendezvous::access::AddressRange> plain_clients{};  ///< of --rdzv-conf
  std::shared_ptr<rendezvous::access::StoreGuard> guard{};        ///< who may talk to the stores; null: everybody
  std::optional<rendezvous::c10d::C10dJob>
      c10d{};                                  ///< nodes that find each other; then nothing above counts but run_id
  std::chrono::milliseconds timeout{900'000};  ///< for the nodes to find each other; torchrun's default
  std::chrono::milliseconds exit_barrier_timeout{300'000};  ///< for the nodes to be done; torchrun's
};

/// The store of a job. As torchrun: --standalone, and one node without an endpoint or a port, mean a free
/// port on this host and a fresh run id; --rdzv-backend static takes --master-addr and --master-port (29500), or
/// --rdzv-endpoint in their place. `fresh_id` is used where the run id is made up.
/// Throws UsageError for an unknown backend, an endpoint without a port, a
/// node rank that is not below the number of nodes, and --rdzv-conf that is not KEY=VALUE,…. Does not read the secret.
StorePlan plan_store(const LaunchOptions& options, const std::string& fresh_id);

/// Reads the secret file of the plan, if it has one, and sets up the guard of its stores. Throws UsageError
/// (read_store_secret).
void load_secret(StorePlan& plan);

/// What --rdzv-conf says of secret_file; empty when it says nothing. Throws as plan_store does.
std::string secret_file_of(const std::string& rdzv_conf);

/// Where the store of a plan that is not c10d's listens (ListenAddress::of_store).
rendezvous::server::ListenAddress listen_address(const StorePlan& plan);

/// A random identifier in the form of a UUID (version 4).
std::string make_uuid();

}  // namespace mdl::launcher::command_line

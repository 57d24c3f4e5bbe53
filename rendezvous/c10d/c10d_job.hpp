#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "rendezvous/access/store_guard.hpp"
#include "rendezvous/access/store_handshake.hpp"
#include "rendezvous/c10d/rendezvous_step.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::rendezvous::c10d {

/// A job to take part in.
struct C10dJob {
  std::string run_id;  ///< --rdzv-id
  Endpoint endpoint;   ///< --rdzv-endpoint: the node that hosts the store; port 0 only where this node is it
  RendezvousSettings settings{};
  std::optional<std::string> local_addr{};         ///< --local-addr
  std::optional<bool> is_host{};                   ///< of --rdzv-conf; else whether `endpoint` is this machine
  std::chrono::milliseconds read_timeout{60'000};  ///< of --rdzv-conf: to reach the store, and for its answers
  RendezvousSettings::Duration cas_backoff{
      0};  ///< cas_backoff_max_seconds: the longest back-off after a failed compare_set
  server::ListenScope listen = server::ListenScope::as_given;  ///< of --rdzv-conf: how far the stores are open
  std::int64_t local_id = 0;                                   ///< tells several agents of one process apart
  std::shared_ptr<access::StoreGuard> guard{};                 ///< who may talk to the stores; null: everybody
};

/// What an agent of the job proves itself with to the others' stores.
inline access::StoreCredential credential_of(const C10dJob& job) {
  return job.guard ? access::StoreCredential(job.guard->secret()) : access::StoreCredential();
}

}  // namespace mdl::rendezvous::c10d

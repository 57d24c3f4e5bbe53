#pragma once

#include "common/endpoint.hpp"
#include "rendezvous/c10d/c10d_job.hpp"

namespace mdl::launcher::job {

/// Where the nodes of a job have a store in common, and what a node proves itself with there.
struct StorePlace {
  Endpoint address{};
  rendezvous::access::StoreCredential credential{};
};

}  // namespace mdl::launcher::job

#pragma once

#include <memory>

#include "launcher/job_rendezvous.hpp"
#include "launcher/notifier.hpp"
#include "rendezvous/c10d_rendezvous.hpp"

namespace mdl::launcher {

/// The rendezvous of nodes that find each other through the store at the job's endpoint (--rdzv-backend c10d),
/// torchrun's agents among them. While a round goes on it is watched: `changed` is notified when the round should end.
/// A store that is lost (its host was killed) is waited for anew, for read_timeout each time.
std::unique_ptr<JobRendezvous> make_c10d_rendezvous(asio::io_context& io, const C10dJob& job, bool agent_store,
                                                    Notifier& changed);

}  // namespace mdl::launcher

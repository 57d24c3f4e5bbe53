#pragma once

#include <memory>

#include "common/loop/notifier.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"

namespace mdl::launcher::job {

/// The rendezvous of nodes that know their rank from the command line (--node-rank): they only tell each other how many
/// workers they have. Node 0 hosts the store, for the workers as well.
///
/// In the first round keys and values are torchrun's, whose agents may be among the nodes. torchrun starts a node again
/// all by itself, beside the old workers of the others and with their keys in the store. Agents of ours start again
/// together, in a further round with keys of their own, when a worker of one has failed or one's agent was started
/// anew; node 0 removes the workers' keys in between. (With torchrun's agents among them there is no further round:
/// see restart_obstacle().) All references must live as long.
std::unique_ptr<JobRendezvous> make_static_rendezvous(asio::io_context& io, const command_line::StaticJob& job,
                                                      const command_line::LaunchOptions& options,
                                                      loop::Notifier& changed);

}  // namespace mdl::launcher::job

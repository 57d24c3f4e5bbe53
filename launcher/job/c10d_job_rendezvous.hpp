#pragma once

#include <memory>

#include "common/loop/notifier.hpp"
#include "launcher/command_line/options.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "rendezvous/c10d/c10d_job.hpp"

namespace mdl::launcher::job {

/// The rendezvous of nodes that find each other through the store at the job's endpoint, torchrun's agents among them.
/// While a round goes on it is watched: `changed` is notified when the round should end. A store that is lost (its host
/// was killed) is waited for anew, for read_timeout each time. One whose host says that it is done and ends is not:
/// this node keeps its workers, and there is no further round. All references must live as long.
std::unique_ptr<JobRendezvous> make_c10d_rendezvous(asio::io_context& io, const rendezvous::c10d::C10dJob& job,
                                                    const command_line::LaunchOptions& options,
                                                    loop::Notifier& changed);

}  // namespace mdl::launcher::job

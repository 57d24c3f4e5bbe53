#pragma once

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/process/worker_group.hpp"

namespace mdl::launcher::process {

/// After the end of the worker with `local_rank`, while others may run: waits for what a filter of it still has to say
/// (a script that copies its own output by process substitution ends before its filter does), before the failure is
/// told to the other nodes. Until its streams have ended, nothing has come for 200 ms, 1 s at most, or `hurry`, which
/// is looked at again and again, as `changed` may be notified.
asio::awaitable<void> hear_worker(output::OutputMux& output, int local_rank, loop::Notifier& changed,
                                  const bool& hurry);

/// Ends all workers of a group and what they have started: `signo` first, up to `grace` for the workers to end, or
/// until `hurry`. Then what has been left behind is read until no process of the group is left, nothing has come for a
/// second, 5 s at most, or `hurry`; only then the rest is killed.
asio::awaitable<void> end_by_signal(WorkerGroup& group, output::OutputMux& output, loop::Notifier& changed, int signo,
                                    std::chrono::milliseconds grace, const bool& hurry);

/// After the success of all workers: passes on what they have written, and lets what they left behind live on, with its
/// output relayed. Waits 300 ms at most for no process of the group to be left, so that the last lines of their filters
/// mostly come before the launcher's end.
asio::awaitable<void> end_well(WorkerGroup& group, output::OutputMux& output, loop::Notifier& changed);

}  // namespace mdl::launcher::process

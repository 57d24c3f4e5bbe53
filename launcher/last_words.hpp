#pragma once

#include "launcher/notifier.hpp"
#include "launcher/output_mux.hpp"
#include "launcher/worker_group.hpp"
#include "rendezvous/asio.hpp"

namespace mdl::launcher {

/// After the end of the worker with `local_rank`, while others may run: waits for what a filter of it still has to say
/// (a script that copies its own output by process substitution ends before its filter does), before the failure is
/// told to the other nodes. Until its streams have ended, nothing has come for 200 ms, 1 s at most, or `hurry`, which
/// is looked at again and again, as `changed` may be notified.
asio::awaitable<void> hear_worker(OutputMux& output, int local_rank, Notifier& changed, const bool& hurry);

/// After the end of all workers, before what they have left behind is killed: until no process of the group is left,
/// nothing has come for 1 s, 5 s at most, or `hurry`.
asio::awaitable<void> hear_descendants(const WorkerGroup& group, OutputMux& output, Notifier& changed,
                                       const bool& hurry);

/// After the success of all workers: until no process of the group is left, 300 ms at most, so that the last lines of
/// their filters mostly come before the launcher's end. What comes later is relayed.
asio::awaitable<void> hear_filters(const WorkerGroup& group, Notifier& changed);

}  // namespace mdl::launcher

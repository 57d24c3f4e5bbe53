#pragma once

#include <string>
#include <vector>

namespace mdl::worker::training::checkpoint {

/// The launcher's process that started this worker, as no other process is called: "HOST/PID/START TIME". Empty when no
/// launcher that restarts workers is there (TORCHELASTIC_RUN_ID unset).
///
/// Workers that a launcher restarts have the same agent as before. So a checkpoint that names an agent of this run was
/// written by this very job, and not by an older one with the same output folder: the environment alone cannot tell
/// them apart, for a restart after a node left or came is not counted in TORCHELASTIC_RESTART_COUNT.
std::string launcher_agent();

/// Whether a checkpoint written by ranks of the agents `then` belongs to the job whose ranks now have the agents `now`.
bool same_job(const std::vector<std::string>& then, const std::vector<std::string>& now);

}  // namespace mdl::worker::training::checkpoint

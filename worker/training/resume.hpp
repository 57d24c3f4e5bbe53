#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl {

/// The checkpoint that `--resume-from-checkpoint` means: nothing for "false", the newest whole checkpoint-STEP in
/// `output` for "true", else the folder itself. Checkpoints of the Python tool are as good as ours. Throws UsageError
/// when there is none, or the folder given is not whole, saying what it lacks.
std::optional<std::filesystem::path> find_checkpoint(const std::string& option, const std::filesystem::path& output);

/// The newest whole checkpoint in `output` that a run of this job wrote, whose workers have the launchers `agents` (see
/// job_identity.hpp); nothing when there is none. So workers that a launcher restarts go on without being told.
std::optional<std::filesystem::path> find_checkpoint_of_job(const std::filesystem::path& output,
                                                            const std::vector<std::string>& agents);

/// What keeps `folder` from being a whole checkpoint, or an empty text: a missing file, a cut one, a broken state.
std::string checkpoint_fault(const std::filesystem::path& folder);

}  // namespace mdl

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/config.hpp"
#include "worker/training/checkpoint/run_start.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::checkpoint {

/// Looks, before any rank waits for another, whether there is what `--resume-from-checkpoint` asks for: a
/// checkpoint-STEP in `output` for the newest one, else the folder itself. Throws UsageError when there is none, or the
/// folder given is not whole, saying what it lacks.
void check_resume_option(const ResumeFrom& resume_from, const std::filesystem::path& output);

/// What plan_start() wants to know: the checkpoints in OUTPUT and the one that is named, beside the run `now`, and this
/// job's own (see find_checkpoint_of_job()). A run that goes on takes over what a checkpoint says of the adapters, but
/// for what the command line says: so it is compared.
StartConditions read_start_conditions(const TrainOptions& options, const RunIdentity& now,
                                      const model::ModelConfig& model, const adapter::BaseModel& base_model,
                                      const std::vector<std::string>& agents);

/// The newest whole checkpoint in `output` that a run of this job wrote, whose workers have the launchers `agents` (see
/// job_identity.hpp); nothing when there is none. So workers that a launcher restarts go on without being told.
std::optional<std::filesystem::path> find_checkpoint_of_job(const std::filesystem::path& output,
                                                            const std::vector<std::string>& agents);

/// What keeps `folder` from being a whole checkpoint: a missing file, a cut one, a broken state. Nothing: it is whole.
std::optional<std::string> checkpoint_fault(const std::filesystem::path& folder);

}  // namespace mdl::worker::training::checkpoint

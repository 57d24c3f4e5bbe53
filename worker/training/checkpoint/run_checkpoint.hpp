#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "worker/adapter/base_model.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/training/adamw.hpp"
#include "worker/training/checkpoint/rng_file.hpp"
#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/checkpoint/run_state.hpp"
#include "worker/training/data/data_progress.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::checkpoint {

/// Everything that goes into OUTPUT/checkpoint-STEP.
struct RunCheckpoint {
  const TrainOptions& options;
  const adapter::BaseModel& base_model;
  model::MiDashengLM& model;
  AdamW::State& optimizer;
  const RunState& state;
  const data::DataProgress& progress;
  const RunIdentity& identity;
  double base_rate;  ///< the schedule's highest learning rate
  double next_rate;  ///< of the next step
  std::vector<std::string>
      rng{};  ///< to_text() of the ranks' states, by rank; rank 0's alone where the others' are lost
  std::vector<std::filesystem::path> superseded{};  ///< older runs' checkpoints
  std::string sidecar{};                            ///< text of reports::page::kSidecarFile; empty: none
};

/// Writes the folder, so that it is there whole or not at all, and only then removes those that are superseded, and
/// those beyond save_total_limit.
void write_checkpoint(const RunCheckpoint& checkpoint);

/// What a checkpoint says, the same on every rank but for the random state.
struct ResumedRun {
  RunState state;
  std::optional<data::DataProgress> progress;  ///< nothing: written by the Python tool
  int64_t world_size = 1;                      ///< that wrote it
  int64_t batch_size = 0;
  double base_rate = 0;
  std::optional<RngState> rng;  ///< of this rank; nothing where the checkpoint has none for it
};

/// Reads a checkpoint of ours or of the Python tool, all but the adapter; the optimizer's and the model's running
/// statistics go where they belong. Only rank 0 needs to reach the folder; every rank calls it. Throws Error naming the
/// file that does not fit.
ResumedRun read_checkpoint(const std::filesystem::path& folder, model::MiDashengLM& model, AdamW::State& optimizer,
                           distributed::ProcessGroup& group);

}  // namespace mdl::worker::training::checkpoint

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/distributed/process_group.hpp"
#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/checkpoint/run_start.hpp"
#include "worker/training_inputs.hpp"

namespace mdl::worker {

/// How the run begins, decided by rank 0 and the same on all ranks.
struct BegunRun {
  training::checkpoint::RunIdentity identity;       ///< rank 0 only
  training::checkpoint::RunStart start;             ///< rank 0 only
  std::optional<std::filesystem::path> checkpoint;  ///< to go on from
};

/// Every rank calls it, and gets the same Error where the run may not begin. Rank 0 tells what there is to tell. A run
/// that goes on takes over what its checkpoint says of the adapters. `agents`: launcher_agent() of all ranks.
BegunRun begin_run(TrainingInputs& inputs, distributed::ProcessGroup& group, const std::vector<std::string>& agents);

}  // namespace mdl::worker

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/training_inputs.hpp"

namespace mdl::worker {

/// What `mdl-toolkit plan` says of the memory that a training takes on each of its GPUs, in bytes.
struct PlannedMemory {
  int64_t device = 0;                  ///< at the peak of a step or an evaluation
  int64_t beside = 0;                  ///< CUDA's own and the like
  int64_t of_gpu = 0;                  ///< what there is
  std::vector<std::string> lighter{};  ///< where it does not fit, options of it that would, as what_fits() has them
  bool fits() const { return device + beside <= of_gpu; }
};

/// The command line of `mdl-toolkit plan` for this run, whose adapters are of the folder `adapter` where they are not
/// what options can say.
std::vector<std::string> plan_arguments(const TrainingInputs& inputs,
                                        const std::optional<std::filesystem::path>& adapter, int64_t of_gpu);

/// Asks `program plan ARGUMENTS`. A process of its own, since the device without memory on which a plan is made would
/// stand before this process's GPU. Nothing where it has no answer in half a minute: it is a help, and not needed.
std::optional<PlannedMemory> ask_plan(const std::filesystem::path& program, const std::vector<std::string>& arguments);

/// The line of a run's start: "memory: training takes 17.68 of the GPU's 79.11 GiB, by its plan". Where it does not
/// fit, what would.
std::string describe(const PlannedMemory& memory);

/// The advice of an error of a GPU's memory: what fits, or that another program has it.
std::string advice_on_memory(const PlannedMemory& memory);

}  // namespace mdl::worker

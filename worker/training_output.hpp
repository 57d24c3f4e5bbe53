#pragma once

#include <filesystem>

#include "worker/training/train_options.hpp"

namespace mdl::worker {

/// Throws UsageError when --output cannot be made or written to, or when something that the run reads lies in a folder
/// of it that the run would replace or remove. Makes nothing: a run that fails a later check leaves nothing.
void check_training_output(const training::TrainOptions& options, const std::filesystem::path& model_folder);

}  // namespace mdl::worker

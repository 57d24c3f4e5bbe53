#pragma once

#include <filesystem>
#include <string>

#include "worker/training/train_options.hpp"

namespace mdl::worker::training::checkpoint {

/// Writes training_args.bin: torch.load(file, weights_only=False) gives transformers' TrainingArguments with the values
/// that the Python tool would have made of these options. It is for people and scripts that look at a checkpoint; no
/// program needs it to go on from one.
///
/// The pickle calls TrainingArguments(**values) through a functools.partial, so that the installed version of
/// transformers fills in whatever else its class has.
void save_training_args(const std::filesystem::path& file, const TrainOptions& options);

/// The values as a JSON text, for people: TensorBoard shows it.
std::string settings_text(const TrainOptions& options);

}  // namespace mdl::worker::training::checkpoint

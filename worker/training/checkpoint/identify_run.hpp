#pragma once

#include <filesystem>
#include <string>

#include "worker/dataset/dataset_view.hpp"
#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::checkpoint {

/// The identity of the run that these options ask for, as one that begins now. Reads a little of every tensor and of
/// some sounds. Throws Error when the model's weights cannot be read.
RunIdentity identify_run(const TrainOptions& options, const std::filesystem::path& model_folder,
                         const dataset::DatasetView& train_data, at::ScalarType dtype, std::int64_t world_size);

/// Notes the adapters that the run has in the end: one that goes on takes them over from its checkpoint.
void set_adapter(RunIdentity& identity, const adapter::LoraConfig& lora);

/// The identity of the run that wrote a checkpoint: from its kRunIdentityFile, or what its other files tell: the
/// adapter's configuration, the learning rate, and where it is ours seed and rows. `now` says how a base model that is
/// named the same is called. Throws Error when a file makes no sense.
RunIdentity identify_checkpoint(const std::filesystem::path& folder, const RunIdentity& now,
                                const adapter::BaseModel& base_model);

/// A hash of what a dataset holds: the lengths, token ids and labels of all rows, and samples of some sounds, to 16
/// bits. Where the folder lies and how it is cut into files does not matter.
std::string fingerprint_of_data(const dataset::DatasetView& data);

/// A hash of a checkpoint's tensors: names, types, shapes and some bytes of each. How it is cut into shards does not
/// matter.
std::string fingerprint_of_weights(const std::filesystem::path& model_folder);

}  // namespace mdl::worker::training::checkpoint

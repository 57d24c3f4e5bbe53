#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "worker/model/config.hpp"

namespace mdl::worker {

/// What a training knows of its checkpoint before it reads a weight.
struct TrainedCheckpoint {
  model::ModelConfig config;
  int64_t pad_token_id;
};

/// What can be said of a folder whose weights are still to be downloaded: throws Error, as read_trained_checkpoint()
/// does, for what keeps a checkpoint of this configuration and tokenizer from being trained. Where weights are there,
/// if only in part, that will say it.
void check_trained_configuration(const std::filesystem::path& folder);

/// Reads it, and checks that the weights fit the configuration by the headers of their files. Throws Error, mostly
/// UsageError, naming what keeps the checkpoint in `folder` from being trained.
TrainedCheckpoint read_trained_checkpoint(const std::filesystem::path& folder);

/// The line with which `mdl-toolkit info` ends: "trainable: yes" or "trainable: no, because …", as
/// read_trained_checkpoint() finds it. Where the folder has no weights, config.json alone is asked.
std::string tell_trainable(const std::filesystem::path& folder);

}  // namespace mdl::worker

#pragma once

#include <filesystem>

#include "worker/adapter/adapter_config.hpp"
#include "worker/model/midashenglm.hpp"

namespace mdl::worker::adapter {

/// A LoRA adapter as PEFT or this program saved it: a folder with adapter_config.json and adapter_model.safetensors.
struct AdapterFolder {
  std::filesystem::path folder;
  AdapterConfig config;

  std::filesystem::path config_file() const { return folder / "adapter_config.json"; }
  std::filesystem::path weights_file() const { return folder / "adapter_model.safetensors"; }

  /// Reads the configuration; tells on stderr which of a newer PEFT's settings do not count. Throws UsageError for a
  /// folder without the two files, and as parse_adapter_config() does.
  static AdapterFolder load(const std::filesystem::path& folder, AdapterUse use);
};

/// Whether the adapter fits a model of this configuration, before any weight is read. Throws UsageError that lists
/// every tensor which does not.
void check_adapter(const model::ModelConfig& model, const AdapterFolder& adapter);

/// Puts the adapter on the model, without merging; embed_tokens and lm_head that were trained whole replace the
/// model's. For answering: nothing is marked as trained. Throws UsageError as check_adapter() does.
void apply_adapter(model::MiDashengLM& model, const AdapterFolder& adapter);

}  // namespace mdl::worker::adapter

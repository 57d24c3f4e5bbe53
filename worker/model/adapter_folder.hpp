#pragma once

#include <filesystem>
#include <string>

#include "worker/model/midashenglm.hpp"

namespace mdl {

/// A LoRA adapter as PEFT or this program saved it: a folder with adapter_config.json and adapter_model.safetensors.
struct AdapterFolder {
  std::filesystem::path folder;
  std::string base_model;  ///< base_model_name_or_path: the model it belongs to
  double alpha = 32;
  bool rank_stabilized = false;  ///< use_rslora: scaling alpha / sqrt(rank) instead of alpha / rank

  /// Reads the configuration. Throws UsageError naming file and key for another kind of adapter than plain LoRA (DoRA,
  /// ranks that differ by pattern, biases, …).
  static AdapterFolder load(const std::filesystem::path& folder);

  double scaling(int64_t rank) const;
};

/// Puts the adapter on the layers that its file names, whichever these are, without merging; embed_tokens and lm_head
/// that were trained whole replace the model's. For answering: nothing is marked as trained. Throws UsageError that
/// lists every tensor which does not fit the model.
void apply_adapter(MiDashengLM& model, const AdapterFolder& adapter);

}  // namespace mdl

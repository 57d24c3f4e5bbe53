#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/model/lora_config.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {

/// Puts a fresh adapter on every layer that the targets name, on the layer's device: A uniform in ±sqrt(6 / (6 · in))
/// (PEFT's Kaiming initialisation with a = sqrt 5), B zero, so that the model computes what it did before. The values
/// depend on `seed` alone, not on the device. The base stays frozen, but for the targets trained whole.
/// Throws UsageError for a rank below 1, a dropout outside [0, 1), or when no layer gets an adapter (PEFT has no such
/// adapters).
void attach_lora(MiDashengLM& model, const LoraConfig& config, uint64_t seed);

/// The trained tensors, under PEFT's names (base_model.model.….lora_A.weight) and in the order of its parameters(),
/// which is also the order of the optimizer's state in a checkpoint.
NamedTensors lora_parameters(MiDashengLM& model);

/// Copies the values of an adapter_model.safetensors into the attached adapters. Missing, extra or wrongly shaped
/// tensors are one Error that lists them.
void load_lora(MiDashengLM& model, const std::filesystem::path& adapter_file);

/// W += scaling · B·A in every adapted layer, in place and layer by layer; then the adapters are gone, and nothing is
/// trained any more.
void merge_lora(MiDashengLM& model);

struct ParameterCounts {
  int64_t trainable;
  int64_t all;  ///< base and trained tensors, as PEFT counts: tied weights once, a module trained whole twice
};
ParameterCounts count_parameters(MiDashengLM& model);

}  // namespace mdl

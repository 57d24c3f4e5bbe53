#pragma once

#include <cstdint>
#include <set>

#include "worker/model/midashenglm.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {

/// A part of the model that `--train-target` names. The first three get adapters on the layers of these names:
///   encoder    audio_encoder.blocks.N.attn.{qkv,proj}
///   projector  audio_projector.net.{0,2}
///   decoder    decoder.model.layers.N.mlp.{gate,up,down}_proj
enum class Target { encoder, projector, decoder };

struct LoraConfig {
  int64_t rank = 32;
  double alpha = 32;
  double dropout = 0;
  std::set<Target> targets = {Target::encoder, Target::projector, Target::decoder};

  double scaling() const { return alpha / static_cast<double>(rank); }
};

/// The regular expression over layer names that selects the targets, as mdl-toolkit gives it to PEFT.
std::string target_modules_pattern(const std::set<Target>& targets);

/// Puts a fresh adapter on every layer that the targets name, on the layer's device: A uniform in ±sqrt(6 / (6 · in))
/// (PEFT's Kaiming initialisation with a = sqrt 5), B zero, so that the model computes what it did before. The values
/// depend on `seed` alone, not on the device. The base stays frozen.
/// Throws UsageError for a rank below 1, or when no layer matches.
void attach_lora(MiDashengLM& model, const LoraConfig& config, uint64_t seed);

/// The trained tensors, under PEFT's names (base_model.model.….lora_A.weight) and in the order of its parameters(),
/// which is also the order of the optimizer's state in a checkpoint.
NamedTensors lora_parameters(MiDashengLM& model);

/// Copies the values of an adapter_model.safetensors into the attached adapters. Missing, extra or wrongly shaped
/// tensors are one Error that lists them.
void load_lora(MiDashengLM& model, const std::filesystem::path& adapter_file);

/// W += scaling · B·A in every adapted layer, in place and layer by layer; then the adapters are gone.
void merge_lora(MiDashengLM& model);

struct ParameterCounts {
  int64_t trainable;
  int64_t all;  ///< base and adapters; tied weights once
};
ParameterCounts count_parameters(MiDashengLM& model);

}  // namespace mdl

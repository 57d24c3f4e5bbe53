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
/// The other two are trained whole, in the base's type (PEFT's modules_to_save):
///   embed_tokens  decoder.model.embed_tokens
///   lm_head       decoder.lm_head
/// Tied ones come apart by that, as in PEFT: training one leaves the other as it was, and the merged model is not tied.
enum class Target { encoder, projector, decoder, embed_tokens, lm_head };

struct LoraConfig {
  int64_t rank = 32;
  double alpha = 32;
  double dropout = 0;
  std::set<Target> targets = {Target::encoder, Target::projector, Target::decoder};

  double scaling() const { return alpha / static_cast<double>(rank); }
};

/// The regular expression over layer names that selects the layers to adapt, as mdl-toolkit gives it to PEFT.
std::string target_modules_pattern(const std::set<Target>& targets);

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

/// The names of the modules trained whole, as adapter_config.json lists them.
std::vector<std::string> modules_to_save(const std::set<Target>& targets);

/// W += scaling · B·A in every adapted layer, in place and layer by layer; then the adapters are gone, and nothing is
/// trained any more.
void merge_lora(MiDashengLM& model);

struct ParameterCounts {
  int64_t trainable;
  int64_t all;  ///< base and trained tensors, as PEFT counts: tied weights once, a module trained whole twice
};
ParameterCounts count_parameters(MiDashengLM& model);

}  // namespace mdl

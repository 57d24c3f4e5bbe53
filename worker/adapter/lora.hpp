#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/adapter/linear_layer_names.hpp"
#include "worker/adapter/lora_config.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::adapter {

/// Puts a fresh adapter on every layer that the configuration selects, on the layer's device: A uniform in
/// ±sqrt(6 / (6 · in)) (PEFT's Kaiming initialisation with a = sqrt 5), B zero, so that the model computes what it did
/// before. The values depend on `seed` alone, not on the device. The base stays frozen, but for the targets trained
/// whole. Throws UsageError for a rank below 1, a dropout outside [0, 1), a selected module that is no linear layer, or
/// when no layer gets an adapter (PEFT has no such adapters).
void attach_lora(model::MiDashengLM& model, const LoraConfig& config, uint64_t seed);

/// Throws UsageError as attach_lora() would on a model of that configuration, without its weights.
void check_lora(const model::ModelConfig& config, const LoraConfig& lora);

/// The trained tensors, under PEFT's names (base_model.model.….lora_A.weight) and in the order of its parameters(),
/// which is also the order of the optimizer's state in a checkpoint.
tensors::NamedTensors lora_parameters(model::MiDashengLM& model);

/// Throws UsageError that lists the tensors of an adapter_model.safetensors which are missing, too many or of another
/// shape than the attached adapters'.
void check_lora_file(model::MiDashengLM& model, const std::filesystem::path& adapter_file, bool dora = false);

/// What the file has, with `dora`, for each adapted layer: the length of each row of the merged weight, [out].
inline constexpr const char* kMagnitude = "lora_magnitude_vector";

/// Copies the values of an adapter_model.safetensors into the attached adapters, which it must fit.
void load_lora(model::MiDashengLM& model, const std::filesystem::path& adapter_file);

/// W += scaling · B·A in every adapted layer, in place and layer by layer; then the adapters are gone, and nothing is
/// trained any more. A tied lm_head with an adapter comes apart from the embeddings.
void merge_lora(model::MiDashengLM& model);

/// The first step of merge_lora() where it is done part by part: a tied lm_head with an adapter comes apart.
void part_adapted_head(model::MiDashengLM& model);

/// The second step, for the layers whose weights are among `tensors`. merge_lora() ends it.
void merge_lora_into(model::MiDashengLM& model, const tensors::NamedTensors& tensors);

struct ParameterCounts {
  int64_t trainable;
  int64_t all;  ///< base and trained tensors, as PEFT counts: tied weights once, a module trained whole twice
};
ParameterCounts count_parameters(model::MiDashengLM& model);

}  // namespace mdl::worker::adapter

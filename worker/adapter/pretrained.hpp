#pragma once

#include <filesystem>
#include <functional>

#include "worker/adapter/base_model.hpp"
#include "worker/adapter/lora.hpp"

namespace mdl::worker::adapter {

/// Writes adapter_model.safetensors and adapter_config.json into `folder` (made when missing), in PEFT's form:
/// PeftModel.from_pretrained loads them. Each file is written atomically, the weights last.
void save_adapter(model::MiDashengLM& model, const LoraConfig& config, const BaseModel& base_model,
                  const std::filesystem::path& folder);

inline constexpr int64_t kShardBytes = 5'000'000'000;  ///< of a checkpoint that is written, as transformers has it

/// Writes a whole checkpoint: the model's tensors (model.safetensors, or shards with an index when they exceed
/// `shard_bytes`) and every other file of `source_folder` (configuration, tokenizer, processor, chat template, remote
/// code), with the weights' type noted in config.json. `source_folder` is where the model was loaded from: the tensors
/// have its names and shapes, and those of it that the model does not use are copied, as vLLM loads no other names.
/// Only an lm_head that was trained apart from the embeddings it was tied to comes in addition, with a warning.
/// transformers' from_pretrained loads the folder. Adapters that are still attached are merged on the way, as
/// merge_lora() does: a shard is written while the next one is merged. The folder appears under its name when it
/// is complete, and when `finish` has added to it what else is to be there; an older one of that name is replaced.
/// Throws Error on a failed write; part of the adapters may be merged then.
void save_merged(model::MiDashengLM& model, const std::filesystem::path& source_folder,
                 const std::filesystem::path& folder, int64_t shard_bytes = kShardBytes,
                 const std::function<void(const std::filesystem::path& unfinished)>& finish = {});

}  // namespace mdl::worker::adapter

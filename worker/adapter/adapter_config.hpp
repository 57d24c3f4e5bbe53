#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/adapter/base_model.hpp"
#include "worker/adapter/lora_config.hpp"

namespace mdl::worker::adapter {

/// What an adapter is read for. Some of PEFT's variants differ from plain LoRA in training only, and DoRA's can be
/// merged but not put on a model.
enum class AdapterUse { answering, training, merging };

/// What an adapter_config.json of PEFT's or ours says.
struct AdapterConfig {
  std::string base_model;            ///< base_model_name_or_path: the model it belongs to
  std::string base_revision;         ///< revision: of that model at its hub; empty where it is not said
  LoraConfig lora;                   ///< with `targets` instead of `layers` where these select the same by name
  bool dora = false;                 ///< use_dora: each row of the sum has a length of its own
  std::vector<std::string> unknown;  ///< keys of a newer PEFT's that ask for something; PEFT ignores such, too
};

/// Reads the text of `file`, for which PEFT's defaults hold where a key is missing. Throws UsageError naming file and
/// key for what is not plain LoRA (biases, DoRA where it is not to be merged, …), and for an adapter whose base was
/// changed when its training began (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA, KaSA): on the checkpoint's own weights it
/// would be another model.
AdapterConfig parse_adapter_config(const std::string& text, const std::filesystem::path& file, AdapterUse use);

/// The text of adapter_config.json for an adapter of ours on a model with such a decoder.
std::string adapter_config_text(const LoraConfig& config, const BaseModel& base_model,
                                const model::DecoderNames& decoder);

}  // namespace mdl::worker::adapter

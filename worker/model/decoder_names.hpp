#pragma once

#include <string>

namespace mdl::worker::model {

/// What a decoder's modules are called, in the checkpoint and in PEFT's files. The defaults are those of transformers'
/// LlamaForCausalLM and the many that follow it.
struct DecoderNames {
  std::string embed_tokens = "decoder.model.embed_tokens";
  std::string lm_head = "decoder.lm_head";

  /// A regular expression over the names of the linear layers that `--train-target decoder` adapts. Letter by letter
  /// what mdl-toolkit gives to PEFT: adapter_config.json holds it.
  std::string target_modules = R"(^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$)";

  friend bool operator==(const DecoderNames&, const DecoderNames&) = default;
};

}  // namespace mdl::worker::model

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mdl::worker::formats {
class JsonFields;
}

namespace mdl::worker::model {

/// Sizes of the decoder: `text_config` of config.json. A decoder that needs more adds it here.
struct TextConfig {
  std::string model_type = "qwen2";  ///< decides which decoder it is: see decoders.hpp
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  int64_t intermediate_size = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  bool tie_word_embeddings = false;  ///< lm_head.weight is embed_tokens.weight
  bool qkv_bias = true;
  bool o_bias = false;
  bool qk_norm = false;                   ///< each query and key head is normalised before it is rotated
  std::optional<int64_t> pad_token_id{};  ///< the embedding row that never gets a gradient
};

/// What a decoder family has where its config does not say. A size that is unset must be there.
struct TextDefaults {
  std::optional<int64_t> hidden_size{}, num_layers{}, intermediate_size{}, num_heads{}, num_kv_heads{}, vocab_size{};
  std::optional<int64_t> head_dim{};  ///< unset: hidden_size / num_attention_heads
  double rope_theta = 10000.0;
};

/// Reads what all decoders have in common, and refuses what none has (sliding windows, scaled ropes, dropout). Throws
/// UsageError naming the key.
TextConfig read_common_text_config(const formats::JsonFields& fields, const TextDefaults& defaults = {});

/// Refuses a dropout of the base model that is not 0: ignored, it would change the numbers.
void require_no_dropout(const formats::JsonFields& fields, const char* key);

}  // namespace mdl::worker::model

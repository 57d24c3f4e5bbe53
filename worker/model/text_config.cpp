#include "worker/model/text_config.hpp"

#include <algorithm>

#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"

namespace mdl::worker::model {
namespace {

/// Both spellings: rope_parameters (transformers 5) holds theta as well, rope_scaling stands beside rope_theta.
double read_rope(const formats::JsonFields& fields, double default_theta) {
  double theta = fields.number("rope_theta", default_theta);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto rope = fields.optional_object(key);
    if (!rope) { continue; }
    for (const char* name : {"rope_type", "type"}) {
      const std::string type = rope->text(name, "default");
      // "mrope" gives text, image and video tokens positions of their own; for text alone all three are the same.
      if (type != "default" && type != "mrope") {
        rope->reject(name, "only the unscaled rope (\"default\") is supported");
      }
    }
    if (rope->number("partial_rotary_factor", 1.0) != 1.0) {
      rope->reject("partial_rotary_factor", "only a rope over the whole head is supported");
    }
    theta = rope->number("rope_theta", theta);
  }
  if (!(theta > 0)) { fields.reject("rope_theta", "it must be above 0"); }
  return theta;
}

}  // namespace

void require_no_dropout(const formats::JsonFields& fields, const char* key) {
  if (fields.number(key, 0.0) != 0.0) {
    fields.reject(key, "this program has no dropout in the base model; it must be 0");
  }
}

TextConfig read_common_text_config(const formats::JsonFields& fields, const TextDefaults& defaults) {
  TextConfig c;
  c.hidden_size = fields.integer("hidden_size", defaults.hidden_size);
  c.num_layers = fields.integer("num_hidden_layers", defaults.num_layers);
  c.intermediate_size = fields.integer("intermediate_size", defaults.intermediate_size);
  c.num_heads = fields.integer("num_attention_heads", defaults.num_heads);
  c.num_kv_heads = fields.integer("num_key_value_heads", defaults.num_kv_heads);
  if (c.num_heads % c.num_kv_heads != 0) {
    fields.reject("num_key_value_heads", str_cat("it must divide num_attention_heads = ", c.num_heads));
  }
  if (!defaults.head_dim && !fields.has("head_dim") && c.hidden_size % c.num_heads != 0) {
    fields.reject("num_attention_heads", str_cat("it must divide hidden_size = ", c.hidden_size));
  }
  c.head_dim = fields.integer("head_dim", defaults.head_dim.value_or(c.hidden_size / c.num_heads));
  if (c.head_dim % 2 != 0) { fields.reject("head_dim", "rope needs an even size"); }
  c.vocab_size = fields.integer("vocab_size", defaults.vocab_size);
  c.rms_norm_eps = fields.number("rms_norm_eps", c.rms_norm_eps);
  c.rope_theta = read_rope(fields, defaults.rope_theta);
  c.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  if (fields.has("pad_token_id")) { c.pad_token_id = fields.integer("pad_token_id", std::nullopt, 0); }

  if (fields.text("hidden_act", "silu") != "silu") { fields.reject("hidden_act", "only \"silu\" is supported"); }
  require_no_dropout(fields, "attention_dropout");
  if (fields.boolean("use_sliding_window", false)) {
    fields.reject("use_sliding_window", "attention with a sliding window is not supported");
  }
  if (const auto* types = fields.find("layer_types")) {
    const bool full = types->is_array() && std::all_of(types->begin(), types->end(),
                                                       [](const auto& type) { return type == "full_attention"; });
    if (!full) { fields.reject("layer_types", "only \"full_attention\" layers are supported"); }
  }
  return c;
}

}  // namespace mdl::worker::model

#include "worker/generation/generation_config.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/formats/json_file.hpp"

namespace mdl::worker::generation {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What is not supported, with the values (null aside) that ask for nothing.
const std::map<std::string, std::vector<json>>& unsupported() {
  static const std::map<std::string, std::vector<json>> keys = {
      {"num_beams", {1}},
      {"num_beam_groups", {1}},
      {"constraints", {}},
      {"force_words_ids", {}},
      {"penalty_alpha", {0, 0.0}},
      {"dola_layers", {}},
      {"num_return_sequences", {1}},
      {"typical_p", {1, 1.0}},
      {"epsilon_cutoff", {0, 0.0}},
      {"eta_cutoff", {0, 0.0}},
      {"top_h", {}},
      {"min_length", {0}},
      {"no_repeat_ngram_size", {0}},
      {"encoder_no_repeat_ngram_size", {0}},
      {"encoder_repetition_penalty", {1, 1.0}},
      {"bad_words_ids", {}},
      {"sequence_bias", {}},
      {"suppress_tokens", {json::array()}},
      {"begin_suppress_tokens", {json::array()}},
      {"forced_bos_token_id", {}},
      {"forced_eos_token_id", {}},
      {"exponential_decay_length_penalty", {}},
      {"remove_invalid_values", {false}},
      {"guidance_scale", {1, 1.0}},
      {"watermarking_config", {}},
      {"stop_strings", {json::array()}},
      {"max_time", {}},
      {"token_healing", {false}},
      {"prompt_lookup_num_tokens", {}},
      {"diversity_penalty", {0, 0.0}},
  };
  return keys;
}

/// Keys that change nothing of what is generated here: bookkeeping, beams and assistants that are not there, and how
/// transformers computes.
bool is_harmless(const std::string& key) {
  static const std::set<std::string> keys = {"_from_model_config",
                                             "transformers_version",
                                             "use_cache",
                                             "pad_token_id",
                                             "bos_token_id",
                                             "decoder_start_token_id",
                                             "max_length",  // the command line's goes before it, as in Python
                                             "output_attentions",
                                             "output_hidden_states",
                                             "output_scores",
                                             "output_logits",
                                             "return_dict_in_generate",
                                             "early_stopping",
                                             "length_penalty",
                                             "low_memory",
                                             "renormalize_logits",
                                             "cache_implementation",
                                             "cache_config",
                                             "max_cache_len",
                                             "compile_config",
                                             "disable_compile",
                                             "continuous_batching_config",
                                             "prefill_chunk_size",
                                             "is_assistant",
                                             "num_assistant_tokens",
                                             "num_assistant_tokens_schedule",
                                             "assistant_confidence_threshold",
                                             "assistant_early_exit",
                                             "assistant_lookbehind",
                                             "target_lookbehind",
                                             "max_matching_ngram_size",
                                             "speculation_type",
                                             "use_mtp"};
  return keys.count(key) != 0;
}

const std::set<std::string> kUsed = {"do_sample",          "temperature",  "top_k",          "top_p",         "min_p",
                                     "repetition_penalty", "eos_token_id", "min_new_tokens", "max_new_tokens"};

void refuse_unsupported(const formats::JsonFields& fields) {
  for (const auto& [key, harmless] : unsupported()) {
    const json* value = fields.find(key);
    if (!value) { continue; }
    bool asks_for_nothing = false;
    for (const json& neutral : harmless) { asks_for_nothing = asks_for_nothing || *value == neutral; }
    if (!asks_for_nothing) {
      fields.reject(key,
                    "this program does not support it; answers are generated greedily or by sampling with "
                    "temperature, top_k, top_p, min_p and repetition_penalty");
    }
  }
}

std::vector<int64_t> read_ids(const formats::JsonFields& fields, const std::string& key) {
  const json* value = fields.find(key);
  if (!value) { return {}; }
  std::vector<int64_t> ids;
  for (const json& id : value->is_array() ? *value : json::array({*value})) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0) {
      fields.reject(key, "a token id or a list of them is needed");
    }
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

double read_between(const formats::JsonFields& fields, const char* key, double otherwise, double least, double most) {
  const double value = fields.number(key, otherwise);
  if (!(least <= value && value <= most)) {
    fields.reject(key, str_cat("a number from ", least, " to ", most, " is needed"));
  }
  return value;
}

}  // namespace

GenerationConfig load_generation_config(const fs::path& model_folder) {
  GenerationConfig config;
  const fs::path path = model_folder / "generation_config.json";
  if (!fs::exists(path)) {
    const fs::path model = model_folder / "config.json";
    const json document = formats::read_json(model);
    const formats::JsonFields fields(document, model.string(), "");
    config.eos_token_ids = read_ids(fields, "eos_token_id");
    const auto text = fields.optional_object("text_config");
    if (config.eos_token_ids.empty() && text) { config.eos_token_ids = read_ids(*text, "eos_token_id"); }
    return config;
  }
  const json document = formats::read_json(path);
  const formats::JsonFields fields(document, path.string(), "");
  refuse_unsupported(fields);
  config.do_sample = fields.boolean("do_sample", false);
  config.temperature = fields.number("temperature", config.temperature);
  if (config.do_sample && !(config.temperature > 0)) {
    fields.reject("temperature", "it must be above 0; \"do_sample\": false asks for the likeliest answer");
  }
  config.top_k = fields.integer("top_k", config.top_k, 0);
  config.top_p = read_between(fields, "top_p", config.top_p, 0, 1);
  config.min_p = read_between(fields, "min_p", config.min_p, 0, 1);
  config.repetition_penalty = fields.number("repetition_penalty", config.repetition_penalty);
  if (!(config.repetition_penalty > 0)) { fields.reject("repetition_penalty", "it must be above 0"); }
  config.eos_token_ids = read_ids(fields, "eos_token_id");
  config.min_new_tokens = fields.integer("min_new_tokens", config.min_new_tokens, 0);
  if (fields.has("max_new_tokens")) { config.max_new_tokens = fields.integer("max_new_tokens"); }

  std::string idle, unknown;
  const auto add = [](std::string& list, const std::string& key) { list += (list.empty() ? "" : ", ") + key; };
  for (const auto& [key, value] : document.items()) {
    if (value.is_null()) { continue; }
    const bool sampling = key == "temperature" || key == "top_k" || key == "top_p" || key == "min_p";
    if (sampling && !config.do_sample) { add(idle, key); }
    if (!kUsed.count(key) && !is_harmless(key) && !unsupported().count(key)) { add(unknown, key); }
  }
  if (!idle.empty()) {
    config.notes.push_back(str_cat(path.string(), ": ", idle, " have no effect without \"do_sample\": true"));
  }
  if (!unknown.empty()) {
    config.notes.push_back(str_cat(path.string(), ": ", unknown, " mean nothing to transformers and have no effect"));
  }
  return config;
}

}  // namespace mdl::worker::generation

#include "worker/adapter/adapter_config.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::adapter {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// What would change the adapter's output or its training, if it has a value.
constexpr const char* kDora = "use_dora";
constexpr const char* kRefused[] = {kDora,
                                    "use_qalora",
                                    "use_bdlora",
                                    "fan_in_fan_out",
                                    "lora_bias",
                                    "trainable_token_indices",
                                    "target_parameters",
                                    "layer_replication",
                                    "alora_invocation_tokens",
                                    "arrow_config",
                                    "kasa_config",
                                    "monteclora_config",
                                    "megatron_config",
                                    "ensure_weight_tying"};

/// Taken, or nothing that matters once the adapter is there.
constexpr const char* kKnown[] = {"r",
                                  "lora_alpha",
                                  "lora_dropout",
                                  "use_rslora",
                                  "rank_pattern",
                                  "alpha_pattern",
                                  "bias",
                                  "target_modules",
                                  "exclude_modules",
                                  "layers_to_transform",
                                  "layers_pattern",
                                  "modules_to_save",
                                  "peft_type",
                                  "peft_version",
                                  "init_lora_weights",
                                  "loftq_config",
                                  "eva_config",
                                  "corda_config",
                                  "task_type",
                                  "revision",
                                  "inference_mode",
                                  "auto_mapping",
                                  "lora_ga_config",
                                  "velora_config",
                                  "megatron_core",
                                  "runtime_config",
                                  "qalora_group_size",
                                  "base_model_name_or_path"};

/// Initialisations of PEFT's that only fill the adapter, and those that take from the base what they put into it.
constexpr const char* kPlainStarts[] = {"gaussian", "eva", "orthogonal"};
constexpr const char* kChangedBases[] = {"pissa", "olora", "corda", "loftq", "lora_ga"};

/// Whether a value asks for anything: not null, false or empty.
bool asks(const json& value) {
  if (value.is_boolean()) { return value.get<bool>(); }
  return value.is_string() ? !value.get_ref<const std::string&>().empty() : !value.empty();
}

void check_start(const formats::JsonFields& fields, AdapterUse use) {
  const auto* start = fields.find("init_lora_weights");
  if (!start || start->is_boolean()) { return; }
  std::string name = fields.text("init_lora_weights");
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* plain : kPlainStarts) {
    if (name == plain) { return; }
  }
  if (name == "mica") {
    if (use != AdapterUse::training) { return; }
    fields.reject("init_lora_weights", "adapters that are trained in part only are not supported");
  }
  for (const char* changed : kChangedBases) {
    if (!name.starts_with(changed)) { continue; }
    fields.reject("init_lora_weights",
                  "the base model's weights were changed when that training began, so that on the checkpoint's own the "
                  "adapter would be another model. Convert it with PEFT's save_pretrained(…, "
                  "path_initial_model_for_weight_conversion=…), or merge it there");
  }
  fields.reject("init_lora_weights", "this program does not know it, nor whether it changes the base model's weights");
}

void refuse_variants(const formats::JsonFields& fields, AdapterUse use) {
  for (const char* key : kRefused) {
    const auto* value = fields.find(key);
    const bool dora = key == kDora;
    if (!value || !asks(*value) || (dora && use == AdapterUse::merging)) { continue; }
    fields.reject(key, dora ? "DoRA adapters are supported by `mdl-toolkit merge` alone"
                            : "only plain LoRA adapters are supported");
  }
  if (fields.text("bias", "none") != "none") { fields.reject("bias", "only adapters without biases are supported"); }
  if (use == AdapterUse::training && fields.has("velora_config")) {
    fields.reject("velora_config", "training with compressed activations is not supported");
  }
  check_start(fields, use);
}

/// A text or a list of texts.
LayerNames layer_names(const formats::JsonFields& fields, const char* key) {
  const auto* value = fields.find(key);
  if (!value) { return std::vector<std::string>(); }
  if (value->is_string()) { return value->get<std::string>(); }
  std::vector<std::string> names;
  if (!value->is_array()) { fields.reject(key, "a text or a list of texts is needed"); }
  for (const json& name : *value) {
    if (!name.is_string()) { fields.reject(key, "a text or a list of texts is needed"); }
    names.push_back(name.get<std::string>());
  }
  std::sort(names.begin(), names.end());  // PEFT writes a set, in any order
  return names;
}

std::vector<std::string> as_list(LayerNames names) {
  if (auto* text = std::get_if<std::string>(&names)) {
    return text->empty() ? std::vector<std::string>() : std::vector{std::move(*text)};
  }
  return std::get<std::vector<std::string>>(std::move(names));
}

LayerSelection read_selection(const formats::JsonFields& fields) {
  LayerSelection selection{.wanted = layer_names(fields, "target_modules"),
                           .excluded = layer_names(fields, "exclude_modules"),
                           .indices = {},
                           .index_after = as_list(layer_names(fields, "layers_pattern"))};
  const auto* pattern = std::get_if<std::string>(&selection.wanted);
  if (!fields.has("target_modules") || (pattern && (*pattern == "all-linear" || pattern->empty()))) {
    fields.reject("target_modules", "the layers' names or a regular expression over them are needed");
  }
  if (const auto* indices = fields.find("layers_to_transform")) {
    for (const json& index : indices->is_array() ? *indices : json::array({*indices})) {
      if (!index.is_number_integer()) { fields.reject("layers_to_transform", "whole numbers are needed"); }
      selection.indices.push_back(index.get<int64_t>());
    }
    if (pattern) { fields.reject("layers_to_transform", "PEFT has it only where target_modules is a list of names"); }
  }
  return selection;
}

/// The target that trains the module of this name whole, in any of the decoders: a configuration does not say which
/// decoder it is for.
std::optional<Target> whole_target(const std::string& name) {
  const auto is_name_of = [&](const std::string& module) { return name == module || name == last_name(module); };
  for (const model::DecoderType& type : model::decoder_types()) {
    if (is_name_of(type.names.embed_tokens)) { return Target::embed_tokens; }
    if (is_name_of(type.names.lm_head)) { return Target::lm_head; }
  }
  return std::nullopt;
}

std::set<Target> read_whole(const formats::JsonFields& fields) {
  std::set<Target> whole;
  for (const std::string& name : as_list(layer_names(fields, "modules_to_save"))) {
    const auto target = whole_target(name);
    if (!target) { fields.reject("modules_to_save", "only embed_tokens and lm_head can be trained whole"); }
    whole.insert(*target);
  }
  return whole;
}

/// The targets that select the same in such a decoder, and in an encoder with blocks of that name, by the same
/// expression, or nothing.
std::optional<std::set<Target>> targets_like(const LayerSelection& selection, const model::DecoderNames& decoder,
                                             const std::string& encoder_blocks) {
  const auto* pattern = std::get_if<std::string>(&selection.wanted);
  const auto* excluded = std::get_if<std::vector<std::string>>(&selection.excluded);
  const bool excludes_nothing =
      excluded && (excluded->empty() || *excluded == std::vector<std::string>{last_name(decoder.lm_head)});
  if (!pattern || !excludes_nothing) { return std::nullopt; }
  for (unsigned subset = 1; subset < 8; ++subset) {
    std::set<Target> targets;
    for (const Target target : {Target::encoder, Target::projector, Target::decoder}) {
      if (subset >> static_cast<unsigned>(target) & 1U) { targets.insert(target); }
    }
    if (target_modules_pattern(targets, decoder, encoder_blocks) == *pattern) { return targets; }
  }
  return std::nullopt;
}

/// The same in any of the decoders.
std::optional<std::set<Target>> targets_like(const LayerSelection& selection, const std::string& encoder_blocks) {
  for (const model::DecoderType& type : model::decoder_types()) {
    if (auto targets = targets_like(selection, type.names, encoder_blocks)) { return targets; }
  }
  return std::nullopt;
}

/// rank_pattern or alpha_pattern, in the file's order.
template <typename Value>
std::vector<std::pair<std::string, Value>> read_pattern(const ordered_json& document, const formats::JsonFields& fields,
                                                        const char* key) {
  std::vector<std::pair<std::string, Value>> pattern;
  const auto* table = fields.find(key);
  if (!table) { return pattern; }
  if (!table->is_object()) { fields.reject(key, "an object of names and numbers is needed"); }
  const formats::JsonFields values = fields.object(key);
  for (const auto& [name, value] : document.at(key).items()) {
    if constexpr (std::is_same_v<Value, int64_t>) {
      pattern.emplace_back(name, values.integer(name));
    } else {
      pattern.emplace_back(name, values.number(name));
    }
  }
  return pattern;
}

LoraConfig read_lora(const ordered_json& document, const formats::JsonFields& fields) {
  LoraConfig lora;
  lora.rank = fields.integer("r", 8);  // PEFT's defaults
  lora.alpha = fields.number("lora_alpha", 8.0);
  lora.dropout = fields.number("lora_dropout", 0.0);
  if (!(lora.dropout >= 0 && lora.dropout < 1)) { fields.reject("lora_dropout", "it must be at least 0 and below 1"); }
  lora.rank_stabilized = fields.boolean("use_rslora", false);
  lora.rank_pattern = read_pattern<int64_t>(document, fields, "rank_pattern");
  lora.alpha_pattern = read_pattern<double>(document, fields, "alpha_pattern");
  lora.targets = read_whole(fields);
  const LayerSelection selection = read_selection(fields);
  const auto* pattern = std::get_if<std::string>(&selection.wanted);
  const std::string encoder_blocks = (pattern ? encoder_blocks_of(*pattern) : std::nullopt).value_or(kEncoderBlocks);
  if (const auto targets = targets_like(selection, encoder_blocks)) {
    lora.targets.insert(targets->begin(), targets->end());
    lora.encoder_blocks = encoder_blocks;
  } else {
    lora.layers = selection;
  }
  return lora;
}

/// A whole number where PEFT writes one: its own files say 32, not 32.0.
ordered_json plain_number(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? ordered_json(whole) : ordered_json(value);
}

ordered_json names_json(const LayerNames& names) {
  if (const auto* pattern = std::get_if<std::string>(&names)) { return *pattern; }
  const auto& list = std::get<std::vector<std::string>>(names);
  return list.empty() ? ordered_json() : ordered_json(list);
}

/// null for an empty list.
template <typename Item>
ordered_json list_json(const std::vector<Item>& items) {
  return items.empty() ? ordered_json() : ordered_json(items);
}

}  // namespace

AdapterConfig parse_adapter_config(const std::string& text, const std::filesystem::path& file, AdapterUse use) {
  ordered_json ordered;
  try {
    ordered = ordered_json::parse(text);
  } catch (const json::exception& error) {
    throw UsageError(str_cat(file.string(), " is not valid JSON: ", error.what()));
  }
  const json document = ordered;
  const formats::JsonFields fields(document, file.string(), "");
  if (fields.text("peft_type") != "LORA") { fields.reject("peft_type", "only LoRA adapters are supported"); }
  refuse_variants(fields, use);
  AdapterConfig config{.base_model = fields.text("base_model_name_or_path", ""),
                       .base_revision = fields.text("revision", ""),
                       .lora = read_lora(ordered, fields),
                       .dora = fields.boolean(kDora, false),
                       .unknown = {}};
  for (const auto& [key, value] : document.items()) {
    const auto is_key = [&key = key](const char* known) { return key == known; };
    const bool known = std::any_of(std::begin(kKnown), std::end(kKnown), is_key) ||
                       std::any_of(std::begin(kRefused), std::end(kRefused), is_key);
    if (!known && asks(value)) { config.unknown.push_back(key); }
  }
  return config;
}

std::string adapter_config_text(const LoraConfig& config, const BaseModel& base_model,
                                const model::DecoderNames& decoder) {
  const LayerSelection layers = selection_of(config, decoder);
  ordered_json ranks = ordered_json::object(), alphas = ordered_json::object();
  for (const auto& [name, rank] : config.rank_pattern) { ranks[name] = rank; }
  for (const auto& [name, alpha] : config.alpha_pattern) { alphas[name] = plain_number(alpha); }
  const ordered_json document = {
      {"alpha_pattern", alphas},
      {"base_model_name_or_path", base_model.name},
      {"bias", "none"},
      {"exclude_modules", names_json(layers.excluded)},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"layers_pattern", list_json(layers.index_after)},
      {"layers_to_transform", list_json(layers.indices)},
      {"lora_alpha", plain_number(config.alpha)},
      {"lora_dropout", plain_number(config.dropout)},
      {"modules_to_save", modules_to_save(config.targets, decoder)},
      {"peft_type", "LORA"},
      {"r", config.rank},
      {"rank_pattern", ranks},
      {"revision", base_model.revision ? ordered_json(*base_model.revision) : ordered_json()},
      {"target_modules", names_json(layers.wanted)},
      {"task_type", "CAUSAL_LM"},
      {"use_dora", false},
      {"use_rslora", config.rank_stabilized},
  };
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mdl::worker::adapter

#include "worker/adapter/lora_config.hpp"

#include "common/str_cat.hpp"

namespace mdl::worker::adapter {
namespace {

const char* pattern_of(Target target) {
  switch (target) {
    case Target::encoder:
      return R"(^audio_encoder\.blocks\.\d+\.attn\.(qkv|proj)$)";
    case Target::projector:
      return R"(^audio_projector\.net\.(0|2)$)";
    case Target::decoder:
      return R"(^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$)";
    case Target::embed_tokens:
    case Target::lm_head:
      break;
  }
  return "";
}

const char* target_name(Target target) {
  switch (target) {
    case Target::encoder:
      return "encoder";
    case Target::projector:
      return "projector";
    case Target::decoder:
      return "decoder";
    case Target::embed_tokens:
      return "embed_tokens";
    case Target::lm_head:
      return "lm_head";
  }
  return "";
}

std::string text_of(const LayerNames& names) {
  if (const auto* pattern = std::get_if<std::string>(&names)) { return *pattern; }
  std::string text;
  for (const std::string& name : std::get<std::vector<std::string>>(names)) {
    text += (text.empty() ? "" : ",") + name;
  }
  return text;
}

/// ", rank 4 on up_proj", or how many there are: EVA's adapters have one for each layer.
std::string describe_pattern(const char* what, const auto& pattern) {
  constexpr std::size_t kShown = 4;
  if (pattern.size() > kShown) { return str_cat(", another ", what, " in ", pattern.size(), " places"); }
  std::string text;
  for (const auto& [name, value] : pattern) { text += str_cat(", ", what, " ", value, " on ", name); }
  return text;
}

}  // namespace

std::string target_modules_pattern(const std::set<Target>& targets) {
  std::string pattern;
  for (const Target target : targets) {
    const std::string part = pattern_of(target);
    if (!part.empty()) { pattern += (pattern.empty() ? "" : "|") + part; }
  }
  return pattern;
}

LayerSelection selection_of(const LoraConfig& config) {
  if (config.layers) { return *config.layers; }
  return {.wanted = target_modules_pattern(config.targets),
          .excluded = std::vector<std::string>{"lm_head"},
          .indices = {},
          .index_after = {}};
}

std::vector<std::string> modules_to_save(const std::set<Target>& targets) {
  std::vector<std::string> names;
  if (targets.count(Target::embed_tokens)) { names.emplace_back("embed_tokens"); }
  if (targets.count(Target::lm_head)) { names.emplace_back("lm_head"); }
  return names;
}

std::string target_names(const std::set<Target>& targets) {
  std::string names;
  for (const Target target : targets) { names += str_cat(names.empty() ? "" : ",", target_name(target)); }
  return names;
}

std::string describe_layers(const LoraConfig& config) {
  std::string text;
  if (config.layers) { text += text_of(config.layers->wanted); }
  if (config.layers && !config.layers->indices.empty()) {
    text += " of layers";
    for (const int64_t index : config.layers->indices) { text += str_cat(" ", index); }
  }
  if (config.layers && !config.layers->index_after.empty()) { text += " of " + text_of(config.layers->index_after); }
  if (config.layers && !text_of(config.layers->excluded).empty()) {
    text += " without " + text_of(config.layers->excluded);
  }
  return text + (config.layers && !config.targets.empty() ? " and " : "") + target_names(config.targets);
}

std::string describe(const LoraConfig& config) {
  std::string text = str_cat("rank ", config.rank, ", alpha ", config.alpha);
  if (config.rank_stabilized) { text += " (rslora)"; }
  text += describe_pattern("rank", config.rank_pattern) + describe_pattern("alpha", config.alpha_pattern);
  return str_cat(text, ", dropout ", config.dropout, ", on ", describe_layers(config));
}

}  // namespace mdl::worker::adapter

#include "worker/adapter/lora_config.hpp"

#include <cctype>

#include "common/str_cat.hpp"
#include "worker/adapter/name_pattern.hpp"

namespace mdl::worker::adapter {
namespace {

constexpr std::string_view kEncoderLayers = R"(\.\d+\.attn\.(qkv|proj)$)";  ///< behind the blocks' name

/// An expression that only `name` matches.
std::string escaped_name(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '_' || byte >= 0x80;
    text += plain ? std::string(1, c) : std::string{'\\', c};
  }
  return text;
}

std::string pattern_of(Target target, const model::DecoderNames& decoder, const std::string& encoder_blocks) {
  switch (target) {
    case Target::encoder:
      return str_cat('^', escaped_name(encoder_blocks), kEncoderLayers);
    case Target::projector:
      return R"(^audio_projector\.net\.(0|2)$)";
    case Target::decoder:
      return decoder.target_modules;
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

std::string target_modules_pattern(const std::set<Target>& targets, const model::DecoderNames& decoder,
                                   const std::string& encoder_blocks) {
  std::string pattern;
  for (const Target target : targets) {
    const std::string part = pattern_of(target, decoder, encoder_blocks);
    if (!part.empty()) { pattern += (pattern.empty() ? "" : "|") + part; }
  }
  return pattern;
}

std::optional<std::string> encoder_blocks_of(const std::string& pattern) {
  const auto end = pattern.find(kEncoderLayers);
  if (!pattern.starts_with('^') || end == std::string::npos) { return std::nullopt; }
  std::string name;
  for (std::size_t i = 1; i < end; ++i) {
    if (pattern[i] != '\\') { name += pattern[i]; }
  }
  return escaped_name(name) == pattern.substr(1, end - 1) ? std::optional(name) : std::nullopt;
}

LayerSelection selection_of(const LoraConfig& config, const model::DecoderNames& decoder) {
  if (config.layers) { return *config.layers; }
  return {.wanted = target_modules_pattern(config.targets, decoder, config.encoder_blocks),
          .excluded = std::vector<std::string>{last_name(decoder.lm_head)},
          .indices = {},
          .index_after = {}};
}

LayerSelection layers_like(const std::string& pattern) {
  const NamePattern readable(pattern);
  return {.wanted = pattern, .excluded = std::vector<std::string>{"lm_head"}, .indices = {}, .index_after = {}};
}

std::vector<std::string> modules_to_save(const std::set<Target>& targets, const model::DecoderNames& decoder) {
  std::vector<std::string> names;
  if (targets.count(Target::embed_tokens)) { names.push_back(last_name(decoder.embed_tokens)); }
  if (targets.count(Target::lm_head)) { names.push_back(last_name(decoder.lm_head)); }
  return names;
}

std::set<Target> whole_targets(const std::set<Target>& targets) {
  std::set<Target> whole;
  for (const Target target : {Target::embed_tokens, Target::lm_head}) {
    if (targets.contains(target)) { whole.insert(target); }
  }
  return whole;
}

std::string last_name(const std::string& module) {
  return module.substr(module.rfind('.') + 1);
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
  text += (config.layers && !config.targets.empty() ? " and " : "") + target_names(config.targets);
  const bool elsewhere = config.targets.contains(Target::encoder) && config.encoder_blocks != kEncoderBlocks;
  return elsewhere ? str_cat(text, " (encoder: ", config.encoder_blocks, ")") : text;
}

std::string describe(const LoraConfig& config) {
  std::string text = str_cat("rank ", config.rank, ", alpha ", config.alpha);
  if (config.rank_stabilized) { text += " (rslora)"; }
  text += describe_pattern("rank", config.rank_pattern) + describe_pattern("alpha", config.alpha_pattern);
  return str_cat(text, ", dropout ", config.dropout, ", on ", describe_layers(config));
}

}  // namespace mdl::worker::adapter

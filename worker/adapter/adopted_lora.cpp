#include "worker/adapter/adopted_lora.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_plan.hpp"

namespace mdl::worker::adapter {
namespace {

std::set<std::string> adapted_layers(const LoraConfig& config, const LinearLayerNames& layers) {
  const AdapterPlan plan(config, layers.decoder);
  std::set<std::string> adapted;
  for (const std::string& name : layers.all) {
    if (plan.adapts(name)) { adapted.insert(name); }
  }
  return adapted;
}

/// Whether what was given adapts the same layers and trains the same modules whole. `given.targets` is there.
bool same_targets(const GivenLora& given, const LoraConfig& adapter, const LinearLayerNames& layers) {
  LoraConfig wanted;
  wanted.targets = *given.targets;
  wanted.layers = given.layers;
  wanted.encoder_blocks = layers.encoder_blocks;
  return whole_targets(*given.targets) == whole_targets(adapter.targets) &&
         adapted_layers(wanted, layers) == adapted_layers(adapter, layers);
}

std::string describe_given(const GivenLora& given) {
  if (!given.layers) { return "--train-target " + target_names(*given.targets); }
  LoraConfig wanted;
  wanted.targets = *given.targets;
  wanted.layers = given.layers;
  return "--lora-targets " + describe_layers(wanted);
}

const char* yes_or_no(bool value) {
  return value ? "true" : "false";
}

}  // namespace

LoraConfig GivenLora::fresh() const {
  LoraConfig config;
  config.rank = rank.value_or(config.rank);
  config.alpha = alpha.value_or(config.alpha);
  config.dropout = dropout.value_or(config.dropout);
  config.targets = targets.value_or(config.targets);
  config.rank_stabilized = rank_stabilized.value_or(config.rank_stabilized);
  config.layers = layers;
  return config;
}

LoraConfig adopt_lora(const GivenLora& given, const LoraConfig& adapter, const std::string& file,
                      const LinearLayerNames& layers) {
  std::string faults;
  const auto compare = [&](const char* option, const auto& wanted, const auto& found) {
    if (wanted && *wanted != found) {
      faults += str_cat("\n    --", option, " ", *wanted, ", but there it is ", found);
    }
  };
  compare("lora-rank", given.rank, adapter.rank);
  compare("lora-alpha", given.alpha, adapter.alpha);
  if (given.rank_stabilized && *given.rank_stabilized != adapter.rank_stabilized) {
    faults += str_cat("\n    --use-rslora ", yes_or_no(*given.rank_stabilized), ", but there it is ",
                      yes_or_no(adapter.rank_stabilized));
  }
  if (given.targets && !same_targets(given, adapter, layers)) {
    faults += str_cat("\n    ", describe_given(given), ", but there it is ", describe_layers(adapter));
  }
  if (!faults.empty()) {
    throw UsageError(str_cat("the options contradict the adapter's own settings in ", file, ":", faults),
                     "Leave these options out: what the adapter says is taken.");
  }
  if (adapted_layers(adapter, layers).contains(layers.decoder.lm_head)) {
    throw UsageError(str_cat(file, ": an adapter on ", layers.decoder.lm_head, " cannot be trained"),
                     "lm_head can be trained whole instead: --train-target lm_head.");
  }
  LoraConfig adopted = adapter;
  adopted.dropout = given.dropout.value_or(adapter.dropout);
  return adopted;
}

LoraConfig resumed_lora(const GivenLora& given, const LoraConfig& adapter, const LinearLayerNames& layers) {
  LoraConfig config = adapter;
  config.rank = given.rank.value_or(config.rank);
  config.alpha = given.alpha.value_or(config.alpha);
  config.dropout = given.dropout.value_or(config.dropout);
  config.rank_stabilized = given.rank_stabilized.value_or(config.rank_stabilized);
  if (given.targets && !same_targets(given, adapter, layers)) {
    config.layers = given.layers;
    config.targets = *given.targets;
    config.encoder_blocks = layers.encoder_blocks;
  }
  return config;
}

}  // namespace mdl::worker::adapter

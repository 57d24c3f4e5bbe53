#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/adapter/linear_layer_names.hpp"
#include "worker/adapter/lora_config.hpp"

namespace mdl::worker::adapter {

/// What the command line of a run says about its adapters; nothing where it says nothing.
struct GivenLora {
  std::optional<int64_t> rank;
  std::optional<double> alpha;
  std::optional<double> dropout;
  std::optional<std::set<Target>> targets;
  std::optional<bool> rank_stabilized{};
  std::optional<LayerSelection> layers{};  ///< in place of the targets that mean layers

  /// The settings of a fresh adapter: the defaults, but for what was given.
  LoraConfig fresh() const;
};

/// The settings of a run that starts from an adapter: those of the adapter, whose configuration `file` names. Dropout
/// is no part of what an adapter computes: it may be given anew. Targets that were given are no
/// contradiction when they select the same of the model's `layers`. Throws UsageError naming every option that
/// was given and contradicts the adapter, with both values; also for an adapter on lm_head, which can be answered with
/// but not trained.
LoraConfig adopt_lora(const GivenLora& given, const LoraConfig& adapter, const std::string& file,
                      const LinearLayerNames& layers);

/// What adopt_lora() gives, and where the options contradict the adapter what they ask for: to tell how both differ.
LoraConfig resumed_lora(const GivenLora& given, const LoraConfig& adapter, const LinearLayerNames& layers);

}  // namespace mdl::worker::adapter

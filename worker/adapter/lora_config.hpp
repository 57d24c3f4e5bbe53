#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "worker/model/decoder_names.hpp"

namespace mdl::worker::adapter {

/// A part of the model that `--train-target` names. The first three get adapters on the layers of these names:
///   encoder    LoraConfig::encoder_blocks.N.attn.{qkv,proj}
///   projector  audio_projector.net.{0,2}
///   decoder    the decoder's DecoderNames::target_modules: the linear layers of its MLPs
/// The other two are trained whole, in the base's type (PEFT's modules_to_save): its embed_tokens and lm_head.
/// Tied ones come apart by that, as in PEFT: training one leaves the other as it was, and the merged model is not tied.
enum class Target { encoder, projector, decoder, embed_tokens, lm_head };

/// A regular expression that a layer's whole name must match, or names: a layer's is one of them or ends with a dot and
/// one of them.
using LayerNames = std::variant<std::string, std::vector<std::string>>;

/// The layers that an adapter is on, as PEFT's configuration selects them.
struct LayerSelection {
  LayerNames wanted;                     ///< target_modules
  LayerNames excluded;                   ///< exclude_modules
  std::vector<int64_t> indices;          ///< layers_to_transform, of a list of names only; empty: all
  std::vector<std::string> index_after;  ///< layers_pattern: what the index stands behind; empty: anything

  friend bool operator==(const LayerSelection&, const LayerSelection&) = default;
};

inline constexpr const char* kEncoderBlocks = "audio_encoder.blocks";  ///< of the 7B

/// What an adapter is, in PEFT's terms. Two are equal when the adapters' tensors mean the same.
struct LoraConfig {
  int64_t rank = 32;
  double alpha = 32;
  double dropout = 0;
  std::set<Target> targets = {Target::encoder, Target::projector, Target::decoder};
  /// The module of the blocks that Target::encoder means, as it is called in the checkpoint: the 7B's, unless the model
  /// of a fresh adapter has another (AudioEncoderConfig::names) or the configuration of an adapter says another.
  std::string encoder_blocks = kEncoderBlocks;

  // What no option of ours asks for, but the configuration of an adapter that training starts from may:
  std::optional<LayerSelection> layers{};  ///< in place of the first three targets, which are not there then
  bool rank_stabilized = false;            ///< use_rslora: scaling alpha / sqrt(rank) instead of alpha / rank
  std::vector<std::pair<std::string, int64_t>> rank_pattern{};  ///< other ranks by layer; the first that fits counts
  std::vector<std::pair<std::string, double>> alpha_pattern{};

  friend bool operator==(const LoraConfig&, const LoraConfig&) = default;
};

/// The regular expression over layer names that selects the layers to adapt, as mdl-toolkit gives it to PEFT.
std::string target_modules_pattern(const std::set<Target>& targets, const model::DecoderNames& decoder,
                                   const std::string& encoder_blocks = kEncoderBlocks);

/// The `encoder_blocks` that an expression of target_modules_pattern() was made with; nothing where it is not on the
/// encoder.
std::optional<std::string> encoder_blocks_of(const std::string& pattern);

/// The layers whose whole name the regular expression matches, but the decoder's head, which cannot be trained so.
/// Throws UsageError for an expression that cannot be read.
LayerSelection layers_like(const std::string& pattern);

/// What `config` selects: its own selection, or that of its targets.
LayerSelection selection_of(const LoraConfig& config, const model::DecoderNames& decoder);

/// The names of the modules trained whole, as adapter_config.json lists them: without what they are part of.
std::vector<std::string> modules_to_save(const std::set<Target>& targets, const model::DecoderNames& decoder);

/// Those of the targets that are trained whole.
std::set<Target> whole_targets(const std::set<Target>& targets);

/// What a module is called within the one that it is part of: "lm_head" of "decoder.lm_head".
std::string last_name(const std::string& module);

/// The targets' names with commas, as `--train-target` takes them.
std::string target_names(const std::set<Target>& targets);

/// For people: what has adapters or is trained whole, as in "encoder,decoder", or as the adapter itself names it.
std::string describe_layers(const LoraConfig& config);

/// For people, in short: "rank 8, alpha 16, dropout 0, on encoder,decoder".
std::string describe(const LoraConfig& config);

}  // namespace mdl::worker::adapter

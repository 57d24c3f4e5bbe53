#include "worker/merge/merged_weights.hpp"

#include <torch/torch.h>

#include <filesystem>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/layers/linear.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::merge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "base_model.model.";

std::string module_of(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind('.'));
}

}  // namespace

/// Where a tensor of the merged checkpoint comes from.
struct MergedWeights::Origin {
  std::string base{};       ///< in the base's files; empty: not there
  std::string replaced{};   ///< in the adapter's or the statistics' file; empty: nothing replaces it
  bool statistics = false;  ///< `replaced` is in the statistics' file
  std::string adapted{};    ///< the adapter's name of the module; empty: no adapter on it
  double scaling = 1;
  bool dora = false;
};

MergedWeights::~MergedWeights() = default;

MergedWeights::MergedWeights(model::OpenedCheckpoint base, const adapter::AdapterFolder& adapter,
                             std::optional<at::ScalarType> dtype)
    : base_(std::move(base)), adapter_(std::make_unique<tensors::SafetensorsFile>(adapter.weights_file())) {
  model::MiDashengLM& model = *base_.model;
  adapter::attach_lora(model, adapter.config.lora, /*seed=*/0);
  adapter::check_lora_file(model, adapter.weights_file(), adapter.config.dora);
  const fs::path statistics = adapter.folder / adapter::kRunningStatisticsFile;
  if (fs::exists(statistics)) { statistics_ = std::make_unique<tensors::SafetensorsFile>(statistics); }

  const model::DecoderNames names = model::decoder_type(model.config().text).names;
  const std::string head = names.lm_head + ".weight", embeddings = names.embed_tokens + ".weight";
  const std::string& init_bn = model.config().audio.names.init_bn;
  const auto in_adapter = [&](const std::string& name) { return adapter_->entries().contains(kPrefix + name); };
  const bool tied = model.config().text.tie_word_embeddings && !base_.files.contains(head);
  untied_ = model.config().text.tie_word_embeddings &&
            (in_adapter(head) || in_adapter(embeddings) || model.decoder->lm_head->adapter.has_value());

  const auto plan = [&](const std::string& name, bool is_buffer, Origin origin) {
    const tensors::SafetensorsEntry& entry = base_.files.entry(origin.base);
    const bool converted = dtype && !is_buffer && at::isFloatingType(entry.dtype);
    planned_.push_back(
        {.name = name, .dtype = converted ? *dtype : entry.dtype, .numel = c10::multiply_integers(entry.shape)});
    origins_.push_back(std::move(origin));
  };
  for (const auto& [layer, slot, name] : layers::tensor_slots(model)) {
    Origin origin{.base = name};
    if (name == head && tied) {
      if (!untied_) { continue; }
      origin.base = embeddings;
    } else if (!base_.files.contains(name)) {
      continue;  // a buffer that the model makes itself
    }
    const auto* linear = dynamic_cast<const layers::Linear*>(layer);
    if (linear && linear->adapter && slot.tensor == &linear->weight) {
      origin.adapted = kPrefix + module_of(name);
      origin.scaling = linear->adapter->scaling;
      origin.dora = adapter.config.dora;
      ++merged_layers_;
    }
    if (in_adapter(name)) { origin.replaced = kPrefix + name; }
    if (statistics_ && module_of(name) == init_bn && statistics_->entries().contains(slot.name)) {
      origin.replaced = slot.name;
      origin.statistics = true;
    }
    plan(name, slot.is_buffer, std::move(origin));
  }
  const model::CheckpointNames in_files(base_.slots, base_.files.names());
  for (const std::string& name : in_files.unused()) { plan(name, /*is_buffer=*/true, Origin{.base = name}); }
}

at::Tensor MergedWeights::make(std::size_t index) const {
  const at::NoGradGuard no_grad;
  const Origin& origin = origins_[index];
  const PlannedTensor& planned = planned_[index];
  at::Tensor value = origin.replaced.empty() ? base_.files.tensor(origin.base)
                     : origin.statistics     ? statistics_->tensor(origin.replaced)
                                             : adapter_->tensor(origin.replaced);
  if (value.sizes() != at::IntArrayRef(base_.files.entry(origin.base).shape)) {
    throw Error(str_cat((origin.statistics ? statistics_ : adapter_)->path().string(),
                        " belongs to another model: ", origin.replaced, " has the shape ", value.sizes()));
  }
  if (!origin.adapted.empty()) {
    const auto part = [&](const char* name) {
      return adapter_->tensor(str_cat(origin.adapted, ".", name)).to(at::kFloat);
    };
    at::Tensor sum = at::mm(part("lora_B.weight"), part("lora_A.weight")).mul_(origin.scaling).add_(value);
    if (origin.dora) { sum.mul_((part(adapter::kMagnitude) / at::linalg_vector_norm(sum, 2, {1})).unsqueeze(1)); }
    value = sum;
  }
  const bool changed = !origin.adapted.empty() || !origin.replaced.empty() || value.scalar_type() != planned.dtype;
  value = value.to(planned.dtype).contiguous();
  if (changed && at::isFloatingType(planned.dtype) && !at::isfinite(value).all().item<bool>()) {
    throw Error(
        str_cat("the merged ", planned.name, " has values that are no finite numbers in ", at::toString(planned.dtype)),
        "Is the adapter whole? With --dtype float16 values above 65,504 are lost: bfloat16 holds them.");
  }
  return value;
}

std::vector<std::size_t> shard_ends(const std::vector<PlannedTensor>& tensors, std::size_t most) {
  std::vector<std::size_t> ends;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (bytes > 0 && bytes + tensors[i].bytes() > most) {
      ends.push_back(i);
      bytes = 0;
    }
    bytes += tensors[i].bytes();
  }
  ends.push_back(tensors.size());
  return ends;
}

}  // namespace mdl::worker::merge

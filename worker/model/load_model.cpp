#include <ATen/ops/equal.h>

#include "worker/model/decoders.hpp"
#include "worker/model/opened_checkpoint.hpp"

namespace mdl::worker::model {
namespace {

/// Counts the bytes of the tensors that are loaded.
class Loaded {
 public:
  Loaded(const OpenedCheckpoint& opened, const LoadProgress& progress) : opened_(opened), progress_(progress) {
    for (const auto& [layer, slot, name] : opened.slots) { total_ += bytes_of(name); }
  }

  /// `name`: the slot's.
  void add(const std::string& name) {
    done_ += bytes_of(name);
    if (progress_) { progress_(done_, total_); }
  }

 private:
  int64_t bytes_of(const std::string& slot) const {
    const auto name = opened_.model->names.find(slot);
    if (!name) { return 0; }
    const tensors::SafetensorsEntry& entry = opened_.files.entry(*name);
    return static_cast<int64_t>(entry.end - entry.begin);
  }

  const OpenedCheckpoint& opened_;
  const LoadProgress& progress_;
  int64_t done_ = 0, total_ = 0;
};

}  // namespace

std::shared_ptr<MiDashengLM> load_model(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device,
                                        const layers::Quantize& quantize, const LoadProgress& progress) {
  const OpenedCheckpoint opened = open_checkpoint(folder, dtype);
  const std::shared_ptr<MiDashengLM>& model = opened.model;
  const TextConfig& text = model->config().text;
  const DecoderNames& names = decoder_type(text).names;
  const std::string head = names.lm_head + ".weight", embedding = names.embed_tokens + ".weight";
  const auto stored = [&](const std::string& slot) {
    const auto name = model->names.find(slot);
    return name ? opened.files.tensor(*name) : at::Tensor();
  };
  // As in transformers, a model that config.json ties is not when its file holds two weights that differ.
  const bool tied =
      text.tie_word_embeddings && (!model->names.find(head) || at::equal(stored(head), stored(embedding)));
  Loaded loaded(opened, progress);
  for (const auto& [layer, slot, name] : opened.slots) {
    if (tied && name == head) {
      loaded.add(name);
      continue;
    }
    const at::Tensor in_file = stored(name);
    const at::Tensor& value = in_file.defined() ? in_file : *slot.tensor;
    auto* linear = dynamic_cast<layers::Linear*>(layer);
    if (quantize && linear && slot.name == "weight" && name != head) {
      linear->quantize(quantize(value.to(slot.tensor->scalar_type()), device));
    } else {
      layer->set_tensor(slot.name, value.to(device, slot.tensor->scalar_type()));
    }
    loaded.add(name);
  }
  if (tied) { model->decoder->lm_head->set_tensor("weight", model->decoder->embed_tokens->weight); }
  return model;
}

}  // namespace mdl::worker::model

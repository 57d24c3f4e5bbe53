#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>

#include <algorithm>

#include "worker/dataset/parallel.hpp"
#include "worker/model/decoders.hpp"
#include "worker/model/opened_checkpoint.hpp"
#include "worker/process/cpu_share.hpp"

namespace mdl::worker::model {
namespace {

/// Counts the bytes of the tensors that are loaded.
class Loaded {
 public:
  Loaded(const OpenedCheckpoint& opened, const LoadProgress& progress) : files_(opened.files), progress_(progress) {
    for (const auto& [layer, slot, name] : opened.slots) { total_ += bytes_of(name); }
  }

  void add(const std::string& name) {
    done_ += bytes_of(name);
    if (progress_) { progress_(done_, total_); }
  }

 private:
  int64_t bytes_of(const std::string& name) const {
    if (!files_.contains(name)) { return 0; }
    const tensors::SafetensorsEntry& entry = files_.entry(name);
    return static_cast<int64_t>(entry.end - entry.begin);
  }

  const tensors::SafetensorsFolder& files_;
  const LoadProgress& progress_;
  int64_t done_ = 0, total_ = 0;
};

/// Which tensor fills which slot.
class Source {
 public:
  explicit Source(const OpenedCheckpoint& opened) : files_(opened.files), slots_(opened.slots) {
    const TextConfig& text = opened.model->config().text;
    const DecoderNames& names = decoder_type(text).names;
    head_ = names.lm_head + ".weight";
    const std::string embedding = names.embed_tokens + ".weight";
    // As in transformers, a model that config.json ties is not when its file holds two weights that differ.
    tied_ = text.tie_word_embeddings &&
            (!files_.contains(head_) || at::equal(files_.tensor(head_), files_.tensor(embedding)));
  }

  bool is_tied() const { return tied_; }
  bool is_head(const layers::OwnedSlot& slot) const { return slot.full_name == head_; }
  /// Whether the slot takes the embeddings' weight.
  bool is_shared(const layers::OwnedSlot& slot) const { return tied_ && is_head(slot); }

  /// The value of slot number `place`, on the host, in the slot's type; undefined when it is shared. Reads what lies a
  /// few slots further on from the disk meanwhile.
  at::Tensor value(size_t place) const {
    const auto& [layer, slot, name] = slots_[place];
    for (size_t i = place + 1; i < std::min(place + kReadAhead, slots_.size()); ++i) {
      if (files_.contains(slots_[i].full_name)) { files_.read_ahead(slots_[i].full_name); }
    }
    if (is_shared(slots_[place])) { return {}; }
    return (files_.contains(name) ? files_.tensor(name) : *slot.tensor).to(slot.tensor->scalar_type());
  }

 private:
  static constexpr size_t kReadAhead = 4;

  const tensors::SafetensorsFolder& files_;
  const std::vector<layers::OwnedSlot>& slots_;
  std::string head_;
  bool tied_ = false;
};

/// Threads that make values: each of them may use all of LibTorch's threads, of which a launcher's worker has one.
size_t loading_threads() {
  return std::max<size_t>(1, process::cpu_share() / static_cast<size_t>(at::get_num_threads()));
}

}  // namespace

std::shared_ptr<MiDashengLM> load_model(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device,
                                        const layers::Quantize& quantize, const LoadProgress& progress) {
  const OpenedCheckpoint opened = open_checkpoint(folder, dtype);
  const std::shared_ptr<MiDashengLM>& model = opened.model;
  const Source source(opened);
  Loaded loaded(opened, progress);
  dataset::OrderedPipeline<at::Tensor> values(opened.slots.size(), loading_threads(), /*ahead=*/1,
                                              [&](size_t place) { return source.value(place); });
  for (const auto& owned : opened.slots) {
    const at::Tensor value = values.take();
    if (!source.is_shared(owned)) {
      auto* linear = dynamic_cast<layers::Linear*>(owned.layer);
      if (quantize && linear && owned.slot.name == "weight" && !source.is_head(owned)) {
        linear->quantize(quantize(value, device));
      } else {
        owned.layer->set_tensor(owned.slot.name, value.to(device));
      }
    }
    loaded.add(owned.full_name);
  }
  if (source.is_tied()) { model->decoder->lm_head->set_tensor("weight", model->decoder->embed_tokens->weight); }
  return model;
}

}  // namespace mdl::worker::model

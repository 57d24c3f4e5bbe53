#include <ATen/ops/equal.h>

#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/decoders.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::model {
namespace {

constexpr size_t kMostListed = 20;  ///< of each kind; a wrong checkpoint can differ in all of its 700 tensors

/// Collects the faults of a checkpoint, to be told at once.
class Faults {
 public:
  void add(const std::string& kind, const std::string& what) { kinds_[kind].push_back(what); }

  void throw_if_any(const std::filesystem::path& folder) const {
    if (kinds_.empty()) { return; }
    std::string text = str_cat(folder.string(), ": the weights do not fit config.json:");
    for (const auto& [kind, items] : kinds_) {
      text += str_cat("\n  ", kind, " (", items.size(), "):");
      for (size_t i = 0; i < items.size() && i < kMostListed; ++i) { text += "\n    " + items[i]; }
      if (items.size() > kMostListed) { text += str_cat("\n    … and ", items.size() - kMostListed, " more"); }
    }
    throw UsageError(text, "Is the folder complete, and are config.json and the weights of the same model?");
  }

 private:
  std::map<std::string, std::vector<std::string>> kinds_;
};

/// Old checkpoints hold these; they follow from the configuration.
bool is_derived(const std::string& name) {
  const std::string suffix = "rotary_emb.inv_freq";
  return name.size() >= suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

/// `may_lack` is a tensor that need not be there.
void check(const std::vector<layers::OwnedSlot>& slots, const tensors::SafetensorsFolder& files,
           const std::string& may_lack, const std::filesystem::path& folder) {
  Faults faults;
  std::set<std::string> known;
  for (const auto& [layer, slot, name] : slots) {
    known.insert(name);
    if (!files.contains(name)) {
      if (slot.required && name != may_lack) { faults.add("missing", str_cat(name, " ", slot.tensor->sizes())); }
      continue;
    }
    const auto& entry = files.entry(name);
    if (slot.tensor->sizes() != entry.shape) {
      faults.add("wrong shape",
                 str_cat(name, " is ", at::IntArrayRef(entry.shape), ", must be ", slot.tensor->sizes()));
    } else if (at::isFloatingType(entry.dtype) != slot.tensor->is_floating_point()) {
      faults.add("wrong type", str_cat(name, " is ", entry.dtype, ", must be ", slot.tensor->scalar_type()));
    }
  }
  for (const auto& name : files.names()) {
    if (!known.count(name) && !is_derived(name)) { faults.add("not part of this model", name); }
  }
  faults.throw_if_any(folder);
}

/// Counts the bytes of the tensors that are loaded.
class Loaded {
 public:
  Loaded(const std::vector<layers::OwnedSlot>& slots, const tensors::SafetensorsFolder& files,
         const LoadProgress& progress)
      : files_(files), progress_(progress) {
    for (const auto& [layer, slot, name] : slots) { total_ += bytes_of(name); }
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

}  // namespace

std::shared_ptr<MiDashengLM> load_model(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device,
                                        const layers::Quantize& quantize, const LoadProgress& progress) {
  const ModelConfig config = load_config(folder);
  const tensors::SafetensorsFolder files(folder);
  auto model = std::make_shared<MiDashengLM>(config, dtype);
  const auto slots = layers::tensor_slots(*model);
  const DecoderNames& names = decoder_type(config.text).names;
  const std::string head = names.lm_head + ".weight", embedding = names.embed_tokens + ".weight";
  check(slots, files, config.text.tie_word_embeddings ? head : "", folder);
  // As in transformers, a model that config.json ties is not when its file holds two weights that differ.
  const bool tied = config.text.tie_word_embeddings &&
                    (!files.contains(head) || at::equal(files.tensor(head), files.tensor(embedding)));
  Loaded loaded(slots, files, progress);
  for (const auto& [layer, slot, name] : slots) {
    if (tied && name == head) {
      loaded.add(name);
      continue;
    }
    const at::Tensor value = files.contains(name) ? files.tensor(name) : *slot.tensor;
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

#include "worker/model/opened_checkpoint.hpp"

#include <map>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/decoders.hpp"
#include "worker/model/quantized_weights.hpp"

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

void check(const OpenedCheckpoint& opened, const std::filesystem::path& folder) {
  const TextConfig& text = opened.model->config().text;
  const std::string may_lack = text.tie_word_embeddings ? decoder_type(text).names.lm_head + ".weight" : "";
  Faults faults;
  for (const auto& [layer, slot, name] : opened.slots) {
    if (!opened.files.contains(name)) {
      if (slot.required && name != may_lack) { faults.add("missing", str_cat(name, " ", slot.tensor->sizes())); }
      continue;
    }
    const auto& entry = opened.files.entry(name);
    if (slot.tensor->sizes() != entry.shape) {
      faults.add("wrong shape",
                 str_cat(name, " is ", at::IntArrayRef(entry.shape), ", must be ", slot.tensor->sizes()));
    } else if (at::isFloatingType(entry.dtype) != slot.tensor->is_floating_point()) {
      faults.add("wrong type", str_cat(name, " is ", entry.dtype, ", must be ", slot.tensor->scalar_type()));
    }
  }
  faults.throw_if_any(folder);
}

}  // namespace

OpenedCheckpoint open_checkpoint(const std::filesystem::path& folder, at::ScalarType dtype) {
  const ModelConfig config = load_config(folder);
  OpenedCheckpoint opened{
      .files = tensors::SafetensorsFolder(folder), .model = std::make_shared<MiDashengLM>(config, dtype), .slots = {}};
  if (const auto sign = find_quantized(opened.files)) {
    throw UsageError(str_cat(folder.string(), ": ", kQuantized, ": ", *sign),
                     unquantized_variant(config.text.model_type));
  }
  opened.slots = layers::tensor_slots(*opened.model);
  opened.model->names = CheckpointNames(opened.slots, opened.files.names());
  check(opened, folder);
  return opened;
}

}  // namespace mdl::worker::model

#include "worker/adapter/pretrained.hpp"

#include <map>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/adapter/checkpoint_files.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::adapter {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) { throw Error(str_cat("cannot make the folder ", folder.string(), ": ", error.message())); }
}

/// The model's tensors and what else the source holds, under the source's names.
tensors::NamedTensors checkpoint_tensors(model::MiDashengLM& model, const fs::path& source) {
  tensors::NamedTensors tensors;
  for (const auto& [layer, slot, name] : layers::tensor_slots(model)) {
    const bool shared = model.decoder->is_tied() && layer == model.decoder->lm_head.get();
    if ((shared || !slot.required) && !model.names.fills(name)) { continue; }
    tensors.emplace_back(name, *slot.tensor);
  }
  if (model.names.unused().empty()) { return tensors; }
  const tensors::SafetensorsFolder files(source);
  for (const std::string& name : model.names.unused()) { tensors.emplace_back(name, files.tensor(name)); }
  return tensors;
}

/// Where an lm_head of its own comes into a checkpoint that has none.
void warn_of_new_head(const model::MiDashengLM& model) {
  const std::string head = model::decoder_type(model.config().text).names.lm_head + ".weight";
  if (model.decoder->is_tied() || model.names.fills(head)) { return; }
  log::warning("the merged model has a ", head, " of its own, which the model that was trained shares with its ",
               "embeddings: the two were trained apart. transformers loads it; vLLM may refuse it");
}

/// Cuts a list of tensors into files of at most `most` bytes, a tensor never divided.
std::vector<tensors::NamedTensors> cut_into_shards(const tensors::NamedTensors& tensors, size_t most) {
  std::vector<tensors::NamedTensors> shards(1);
  size_t bytes = 0;
  for (const auto& item : tensors) {
    if (!shards.back().empty() && bytes + item.second.nbytes() > most) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(item);
    bytes += item.second.nbytes();
  }
  return shards;
}

/// Merges the adapters into the shards one after the other, on another thread, and writes each as soon as it is whole:
/// the disk works while the next one is being computed.
void write_weights(model::MiDashengLM& model, const tensors::NamedTensors& tensors, const fs::path& folder,
                   size_t shard_bytes) {
  const auto shards = cut_into_shards(tensors, shard_bytes);
  dataset::OrderedPipeline<bool> merged(shards.size(), /*threads=*/1, /*ahead=*/1, [&](size_t shard) {
    merge_lora_into(model, shards[shard]);
    return true;
  });
  size_t total = 0;
  std::map<std::string, std::string> file_of_tensor;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = weights_name(i, shards.size());
    merged.take();
    tensors::save_safetensors(folder / file, shards[i]);
    for (const auto& [name, tensor] : shards[i]) {
      file_of_tensor[name] = file;
      total += tensor.nbytes();
    }
  }
  if (shards.size() > 1) { write_weights_index(folder, file_of_tensor, total); }
}

}  // namespace

void save_adapter(model::MiDashengLM& model, const LoraConfig& config, const BaseModel& base_model,
                  const fs::path& folder) {
  make_folder(folder);
  write_text_atomically(folder / "adapter_config.json",
                        adapter_config_text(config, base_model, model::decoder_type(model.config().text).names));
  tensors::save_safetensors(folder / "adapter_model.safetensors", lora_parameters(model));
}

void save_merged(model::MiDashengLM& model, const fs::path& source_folder, const fs::path& folder, int64_t shard_bytes,
                 const std::function<void(const fs::path& unfinished)>& finish) {
  part_adapted_head(model);
  warn_of_new_head(model);
  write_folder_atomically(folder, [&](const fs::path& unfinished) {
    copy_companions(source_folder, unfinished);
    const bool untied = model.config().text.tie_word_embeddings && !model.decoder->is_tied();
    write_merged_config(source_folder, unfinished, model.dtype() == at::kBFloat16 ? "bfloat16" : "float32", untied);
    write_weights(model, checkpoint_tensors(model, source_folder), unfinished, static_cast<size_t>(shard_bytes));
    if (finish) { finish(unfinished); }
  });
  merge_lora(model);
}

}  // namespace mdl::worker::adapter

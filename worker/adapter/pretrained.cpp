#include "worker/adapter/pretrained.hpp"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::adapter {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) { throw Error(str_cat("cannot make the folder ", folder.string(), ": ", error.message())); }
}

/// Weights in any form: these are written anew, not copied.
bool holds_weights(const fs::path& file) {
  const std::string name = file.filename().string();
  for (const char* ending :
       {".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf"}) {
    const std::string_view suffix(ending);
    if (name.size() >= suffix.size() && std::string_view(name).substr(name.size() - suffix.size()) == suffix) {
      return true;
    }
  }
  return false;
}

void copy_companions(const fs::path& source, const fs::path& target) {
  for (const auto& entry : fs::directory_iterator(source)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "config.json" || name.front() == '.' || holds_weights(entry.path())) {
      continue;
    }
    const fs::path copy = target / entry.path().filename();
    std::error_code error;
    fs::copy_file(entry.path(), copy, fs::copy_options::overwrite_existing, error);
    if (error) {
      throw Error(str_cat("cannot copy ", entry.path().string(), " to ", copy.string(), ": ", error.message()));
    }
  }
}

void write_config(const fs::path& source, const fs::path& target, const model::MiDashengLM& model) {
  auto config = ordered_json::parse(read_text(source / "config.json"));
  const char* name = model.dtype() == at::kBFloat16 ? "bfloat16" : "float32";
  if (model.config().text.tie_word_embeddings && !model.decoder->is_tied()) {
    config["tie_word_embeddings"] = false;
    config["text_config"]["tie_word_embeddings"] = false;
  }
  config["dtype"] = name;
  const auto say_type = [&](ordered_json& part) {
    for (const char* key : {"dtype", "torch_dtype"}) {  // transformers 4 reads torch_dtype
      if (part.contains(key)) { part[key] = name; }
    }
  };
  say_type(config);
  for (const char* part : {"text_config", "audio_encoder_config"}) {
    if (config.contains(part)) { say_type(config[part]); }
  }
  write_text_atomically(target / "config.json", config.dump(2) + "\n");
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

std::string shard_name(size_t index, size_t count) {
  std::ostringstream name;
  name << std::setfill('0') << "model-" << std::setw(5) << index + 1 << "-of-" << std::setw(5) << count
       << ".safetensors";
  return name.str();
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
  ordered_json weight_map = ordered_json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = shards.size() == 1 ? "model.safetensors" : shard_name(i, shards.size());
    merged.take();
    tensors::save_safetensors(folder / file, shards[i]);
    for (const auto& [name, tensor] : shards[i]) {
      weight_map[name] = file;
      total += tensor.nbytes();
    }
  }
  if (shards.size() == 1) { return; }
  const ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  write_text_atomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
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
    write_config(source_folder, unfinished, model);
    write_weights(model, checkpoint_tensors(model, source_folder), unfinished, static_cast<size_t>(shard_bytes));
    if (finish) { finish(unfinished); }
  });
  merge_lora(model);
}

}  // namespace mdl::worker::adapter

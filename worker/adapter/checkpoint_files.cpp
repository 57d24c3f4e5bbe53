#include "worker/adapter/checkpoint_files.hpp"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::adapter {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

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

}  // namespace

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

void write_merged_config(const fs::path& source, const fs::path& target, const std::optional<std::string>& dtype,
                         bool untied) {
  auto config = ordered_json::parse(read_text(source / "config.json"));
  if (untied) {
    config["tie_word_embeddings"] = false;
    config["text_config"]["tie_word_embeddings"] = false;
  }
  const auto say_type = [&](ordered_json& part) {
    for (const char* key : {"dtype", "torch_dtype"}) {  // transformers 4 reads torch_dtype
      if (part.contains(key)) { part[key] = *dtype; }
    }
  };
  if (dtype) {
    config["dtype"] = *dtype;
    say_type(config);
    for (const char* part : {"text_config", "audio_encoder_config"}) {
      if (config.contains(part)) { say_type(config[part]); }
    }
  }
  write_text_atomically(target / "config.json", config.dump(2) + "\n");
}

std::string weights_name(std::size_t index, std::size_t count) {
  if (count == 1) { return "model.safetensors"; }
  std::ostringstream name;
  name << std::setfill('0') << "model-" << std::setw(5) << index + 1 << "-of-" << std::setw(5) << count
       << ".safetensors";
  return name.str();
}

void write_weights_index(const fs::path& folder, const std::map<std::string, std::string>& file_of_tensor,
                         std::size_t total_bytes) {
  const ordered_json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", file_of_tensor}};
  write_text_atomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace mdl::worker::adapter

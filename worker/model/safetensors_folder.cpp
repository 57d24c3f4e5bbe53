#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

/// weight_map of an index: tensor name -> file name.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const auto json = nlohmann::json::parse(read_text(path), nullptr, /*allow_exceptions=*/false);
  const bool usable = json.is_object() && json.contains("weight_map") && json["weight_map"].is_object();
  if (!usable) throw UsageError(str_cat(path.string(), ": no JSON object with a \"weight_map\""));
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    // A shard lies beside its index: a name with a folder in it would reach outside the checkpoint.
    if (!file.is_string() || file.get<std::string>() != fs::path(file.get<std::string>()).filename().string()) {
      throw UsageError(str_cat(path.string(), ": \"", tensor, "\" has no plain file name: ", file.dump()));
    }
    map[tensor] = file.get<std::string>();
  }
  return map;
}

}  // namespace

SafetensorsFolder::SafetensorsFolder(const fs::path& folder) {
  if (const auto single = folder / "model.safetensors"; fs::exists(single)) {
    const auto file = std::make_shared<SafetensorsFile>(single);
    for (const auto& [name, entry] : file->entries()) files_[name] = file;
    return;
  }
  const auto index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    throw UsageError(str_cat(folder.string(), " has neither model.safetensors nor model.safetensors.index.json"),
                     "Give the folder of a checkpoint whose weights are in safetensors format.");
  }
  std::map<std::string, std::shared_ptr<SafetensorsFile>> shards;
  for (const auto& [name, file] : read_index(index)) {
    auto& shard = shards[file];
    if (!shard) {
      if (!fs::exists(folder / file)) {
        throw UsageError(str_cat(folder.string(), ": the shard ", file, " is missing"),
                         "model.safetensors.index.json names it; was the download complete?");
      }
      shard = std::make_shared<SafetensorsFile>(folder / file);
    }
    if (!shard->entries().count(name)) {
      throw UsageError(str_cat(index.string(), ": \"", name, "\" should be in ", file, ", but is not there"));
    }
    files_[name] = shard;
  }
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

const SafetensorsEntry& SafetensorsFolder::entry(const std::string& name) const {
  return files_.at(name)->entries().at(name);
}

at::Tensor SafetensorsFolder::tensor(const std::string& name) const {
  return files_.at(name)->tensor(name);
}

}  // namespace mdl

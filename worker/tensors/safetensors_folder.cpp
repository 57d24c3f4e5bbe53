#include <algorithm>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/safetensors_header.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::tensors {

namespace fs = std::filesystem;

SafetensorsFolder::SafetensorsFolder(const fs::path& folder) {
  if (const auto single = folder / "model.safetensors"; fs::exists(single)) {
    const auto file = std::make_shared<SafetensorsFile>(single);
    for (const auto& [name, entry] : file->entries()) { files_[name] = file; }
    return;
  }
  const auto index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    throw UsageError(str_cat(folder.string(), " has neither model.safetensors nor model.safetensors.index.json"),
                     "Give the folder of a checkpoint whose weights are in safetensors format.");
  }
  std::map<std::string, std::shared_ptr<SafetensorsFile>> shards;
  for (const auto& [name, file] : formats::parse_safetensors_index(read_text(index), index.string())) {
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

bool SafetensorsFolder::is_at(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) { return true; }
  if (!fs::exists(folder / "model.safetensors.index.json")) { return false; }
  const fs::directory_iterator entries(folder);
  return std::any_of(begin(entries), end(entries),
                     [](const fs::directory_entry& entry) { return entry.path().extension() == ".safetensors"; });
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) { names.push_back(name); }
  return names;
}

const SafetensorsEntry& SafetensorsFolder::entry(const std::string& name) const {
  return files_.at(name)->entries().at(name);
}

at::Tensor SafetensorsFolder::tensor(const std::string& name) const {
  return files_.at(name)->tensor(name);
}

void SafetensorsFolder::read_ahead(const std::string& name) const {
  files_.at(name)->read_ahead(name);
}

}  // namespace mdl::worker::tensors

#include "worker/hub/wanted_files.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/safetensors_header.hpp"

namespace mdl::worker::hub {
namespace {

constexpr const char* kBatchNorm = "batch_norm.safetensors";  // beside our adapters

std::string_view name_of(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

void add_if_listed(const Listing& listing, std::string_view path, std::vector<ListedFile>& files) {
  if (const ListedFile* const file = listing.find(path)) { files.push_back(*file); }
}

}  // namespace

bool is_wanted_small_file(std::string_view path) {
  constexpr std::array<std::string_view, 5> kEndings = {".json", ".jinja", ".py", ".txt", ".model"};
  const std::string_view name = name_of(path);
  if (path.starts_with('.') || path.find("/.") != std::string_view::npos) { return false; }  // .gitattributes, .cache/
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

std::vector<std::string> needed_files(bool adapter) {
  return adapter ? std::vector<std::string>{"adapter_config.json"}
                 : std::vector<std::string>{"config.json", "tokenizer.json"};
}

bool is_adapter(const Listing& listing, const std::string& repository) {
  const bool adapter = listing.find("adapter_config.json") && !listing.find("config.json");
  for (const std::string& path : needed_files(adapter)) {
    if (listing.find(path)) { continue; }
    if (path == "tokenizer.json") {
      throw UsageError(str_cat(repository, " has no tokenizer.json, without which no text becomes tokens"),
                       "Take a revision or a model that has one. Of the older files beside it transformers makes one: "
                       "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER), in a folder with the rest.");
    }
    throw UsageError(str_cat(repository, " is no model that this program knows: it has no ", path));
  }
  return adapter;
}

std::vector<ListedFile> select_small_files(const Listing& listing) {
  std::vector<ListedFile> files;
  std::ranges::copy_if(listing.files, std::back_inserter(files),
                       [](const ListedFile& file) { return is_wanted_small_file(file.path); });
  return files;
}

std::vector<ListedFile> select_weights(const Listing& listing, const std::string& index,
                                       const std::string& repository) {
  std::vector<ListedFile> files;
  if (!index.empty()) {
    std::set<std::string> shards;
    const std::string name = str_cat(kSafetensorsIndex, " of ", repository);
    for (const auto& [tensor, file] : formats::parse_safetensors_index(index, name)) { shards.insert(file); }
    for (const std::string& shard : shards) {
      if (!shard.ends_with(".safetensors")) {
        throw Error(str_cat(name, " names ", shard, ", which is no safetensors file"),
                    "Files of other kinds are never downloaded: use another revision or model.");
      }
      const ListedFile* const file = listing.find(shard);
      if (!file) {
        throw Error(str_cat(name, " names ", shard, ", which the repository does not have"),
                    "The repository is not whole: use another revision or model.");
      }
      files.push_back(*file);
    }
  } else if (listing.find("adapter_config.json") && !listing.find("config.json")) {
    add_if_listed(listing, kAdapterWeights, files);
    if (!files.empty()) { add_if_listed(listing, kBatchNorm, files); }
  } else {
    add_if_listed(listing, kSafetensors, files);
  }
  if (files.empty()) {
    throw UsageError(
        str_cat(repository, " has no weights as safetensors"),
        "Files of other kinds (.bin, .gguf, …) are not read by this program: use another revision or model.");
  }
  return files;
}

}  // namespace mdl::worker::hub

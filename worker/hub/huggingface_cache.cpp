#include "worker/hub/huggingface_cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "common/uuid.hpp"
#include "worker/formats/safetensors_header.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) { throw Error(describe_errno("cannot create the folder", folder.string(), error.value())); }
}

/// A name next to `path` that nobody else uses.
fs::path temporary_beside(const fs::path& path) {
  return path.string() + "." + make_uuid().substr(0, 8) + ".tmp";
}

void rename_to(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int why = errno;
    throw Error(describe_errno("cannot rename to", to.string(), why));
  }
}

/// Written by rename, under a temporary name of its own: several machines may write it at the same time.
void write_small_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = temporary_beside(path);
  write_text_atomically(temporary, text);
  rename_to(temporary, path);
}

std::string revision_of(const ModelName& model) {
  return model.revision.value_or("main");
}

/// The files in Python's listing of a commit. Nothing where it has another form.
std::vector<std::string> python_files(const std::string& text) {
  using nlohmann::json;
  if (json_nesting(text) > kMaxJsonNesting) { return {}; }
  const json listing = json::parse(text, nullptr, false);
  if (!listing.is_object() || listing.value("format_version", json()) != 1) { return {}; }
  const auto files = listing.find("files");
  if (files == listing.end() || !files->is_object()) { return {}; }
  std::vector<std::string> paths;
  for (const auto& [path, facts] : files->items()) { paths.push_back(path); }
  return paths;
}

void add_missing_weights(const fs::path& snapshot, bool adapter, std::vector<std::string>& missing) {
  std::set<std::string> weights;
  if (const fs::path index = snapshot / kSafetensorsIndex; is_there(index)) {
    for (const auto& [tensor, file] : formats::parse_safetensors_index(read_text(index), index.string())) {
      weights.insert(file);
    }
  } else {
    weights.insert(adapter ? kAdapterWeights : kSafetensors);
  }
  std::ranges::copy_if(weights, std::back_inserter(missing),
                       [&](const std::string& file) { return !is_there(snapshot / file); });
}

}  // namespace

std::vector<std::string> missing_files(const fs::path& snapshot, Parts parts, const std::string& python_listing) {
  const bool adapter = is_there(snapshot / "adapter_config.json") && !is_there(snapshot / "config.json");
  std::set<std::string> needed;
  if (!adapter) { needed = {"config.json", "tokenizer.json"}; }
  for (const std::string& path : python_files(python_listing)) {
    if (is_wanted_small_file(path) && is_safe_path(path)) { needed.insert(path); }
  }
  std::vector<std::string> missing;
  std::ranges::copy_if(needed, std::back_inserter(missing),
                       [&](const std::string& file) { return !is_there(snapshot / file); });
  if (parts == Parts::all) { add_missing_weights(snapshot, adapter, missing); }
  return missing;
}

fs::path HuggingFaceCache::folder_of(const ModelName& model) const {
  return root_ / str_cat("models--", model.organization, "--", model.name);
}

ModelCache::Found HuggingFaceCache::find(const ModelName& model, Parts parts) const {
  const fs::path folder = folder_of(model);
  std::string commit = revision_of(model);
  if (!is_commit(commit)) { commit = trimmed(read_file_if_there(folder / "refs" / commit).value_or("")); }
  const fs::path snapshot = folder / "snapshots" / commit;
  std::error_code error;
  if (!is_commit(commit) || !fs::is_directory(snapshot, error)) { return {}; }
  const auto listing = read_file_if_there(folder / "trees" / (commit + ".json"));
  return {snapshot, missing_files(snapshot, parts, listing.value_or(""))};
}

std::optional<fs::path> HuggingFaceCache::find_file(const ModelName& model, const Listing& listing,
                                                    const ListedFile& file) const {
  const fs::path folder = folder_of(model);
  for (const fs::path& path : {folder / "blobs" / file.digest.hex, folder / "snapshots" / listing.commit / file.path}) {
    std::error_code error;
    if (is_there(path) && fs::file_size(path, error) == static_cast<std::uintmax_t>(file.size)) { return path; }
  }
  return std::nullopt;
}

ModelCache::PartPlace HuggingFaceCache::part_place(const ModelName& model, const Listing& /*listing*/,
                                                   const ListedFile& file) const {
  const fs::path blobs = folder_of(model) / "blobs";
  make_folders(blobs);
  return {blobs, file.digest.hex};
}

void HuggingFaceCache::keep(const ModelName& model, const Listing& /*listing*/, const ListedFile& file,
                            const fs::path& whole) const {
  rename_to(whole, folder_of(model) / "blobs" / file.digest.hex);
}

/// `name` is `depth` folders below the snapshot's.
void HuggingFaceCache::give_name(const fs::path& blob, const fs::path& name, std::size_t depth) const {
  make_folders(name.parent_path());
  std::string target = "../../";
  for (std::size_t i = 0; i < depth; ++i) { target += "../"; }
  target += "blobs/" + blob.filename().string();
  std::error_code error;
  if (fs::is_symlink(name, error) ? fs::read_symlink(name, error) == target : is_there(name)) { return; }
  const fs::path temporary = temporary_beside(name);
  if (symlinks_ && ::symlink(target.c_str(), temporary.c_str()) == 0) {
    rename_to(temporary, name);
  } else if (::link(blob.c_str(), temporary.c_str()) == 0) {  // the same file under both names
    rename_to(temporary, name);
  } else if (symlinks_) {  // a disk that knows no links: the file moves, as under Python
    rename_to(blob, name);
  } else {
    fs::copy_file(blob, temporary);
    sync_to_disk(temporary);
    rename_to(temporary, name);
  }
}

fs::path HuggingFaceCache::publish(const ModelName& model, const Listing& listing,
                                   const std::vector<ListedFile>& files) const {
  const fs::path folder = folder_of(model);
  const fs::path snapshot = folder / "snapshots" / listing.commit;
  if (const fs::path tag = root_ / "CACHEDIR.TAG"; !fs::exists(tag)) { write_small_file(tag, kTag); }
  make_folders(snapshot);
  const auto is_last = [](const ListedFile& file) {
    return file.path == "config.json" || file.path == "adapter_config.json";
  };
  for (const bool last : {false, true}) {
    for (const ListedFile& file : files) {
      if (is_last(file) != last) { continue; }
      const auto depth = static_cast<std::size_t>(std::ranges::count(file.path, '/'));
      give_name(folder / "blobs" / file.digest.hex, snapshot / file.path, depth);
    }
    if (!last) { sync_to_disk(snapshot); }
  }
  sync_to_disk(snapshot);
  const std::string revision = revision_of(model);
  const fs::path reference = folder / "refs" / revision;
  if (revision != listing.commit && trimmed(read_file_if_there(reference).value_or("")) != listing.commit) {
    make_folders(reference.parent_path());
    write_small_file(reference, listing.commit);
  }
  return snapshot;
}

}  // namespace mdl::worker::hub

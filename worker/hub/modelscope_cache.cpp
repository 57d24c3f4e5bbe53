#include "worker/hub/modelscope_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/http/url.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/missing_files.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

/// What find() goes by.
bool is_mark(const ListedFile& file) {
  return file.path == "config.json" || file.path == "adapter_config.json";
}

/// The name of a file of ours while it has not its own: its hash, or that of its path where the hub tells none.
std::string stem_of(const ListedFile& file) {
  return file.digest.kind == Digest::Kind::none ? sha256_hex(str_cat(file.path, "\n", file.revision, "\n", file.size))
                                                : file.digest.hex;
}

/// NAME as the package wrote it before version 1.38.
std::string without_dots(const std::string& name) {
  std::string text;
  for (const char letter : name) { letter == '.' ? text += "___" : text += letter; }
  return text;
}

/// Whether the file went to its new name; false where it is not there (any more).
bool moved(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) { return true; }
  const int why = errno;
  if (why != ENOENT) { throw Error(describe_errno("cannot rename to", to.string(), why)); }
  return false;
}

}  // namespace

fs::path ModelscopeCache::folder_of(const ModelName& model) const {
  return root_ / "models" / str_cat(model.organization, "--", model.name);
}

fs::path ModelscopeCache::snapshot_of(const ModelName& model) const {
  return folder_of(model) / "snapshots" / model.revision.value_or("master");
}

fs::path ModelscopeCache::part_folder(const ModelName& model) const {
  return folder_of(model) / (".incomplete-" + http::percent_encoded(model.revision.value_or("master")));
}

fs::path ModelscopeCache::whole_file(const ModelName& model, const ListedFile& file) const {
  return part_folder(model) / stem_of(file);
}

std::vector<fs::path> ModelscopeCache::candidates(const ModelName& model) const {
  if (model.revision) { return {snapshot_of(model)}; }
  const fs::path plain = fs::path(model.organization) / model.name;
  const fs::path safe = fs::path(model.organization) / without_dots(model.name);
  return {root_ / "models" / safe, root_ / "hub/models" / safe,
          snapshot_of(model),      folder_of(model) / "snapshots/main",
          root_ / plain,           root_ / safe,
          root_ / "hub" / plain,   root_ / "hub" / safe,
          root_ / "models" / plain};
}

ModelCache::Found ModelscopeCache::find(const ModelName& model, Parts parts) const {
  Found first;
  for (const fs::path& folder : candidates(model)) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) { continue; }
    Found found{.folder = folder,
                .missing = missing_files(folder, parts),
                .commit = {},
                .read_only = folder != snapshot_of(model)};
    if (found.whole()) { return found; }
    if (first.folder.empty()) { first = std::move(found); }
  }
  return first;
}

std::optional<fs::path> ModelscopeCache::find_file(const ModelName& model, const Listing& /*listing*/,
                                                   const ListedFile& file) const {
  if (const fs::path whole = whole_file(model, file); has_size(whole, file)) { return whole; }
  const fs::path named = snapshot_of(model) / file.path;  // of this branch, but maybe of last year
  return file.digest.kind != Digest::Kind::none && is_right(named, file) ? std::optional(named) : std::nullopt;
}

bool ModelscopeCache::has_right(const ModelName& model, const Listing& listing, const ListedFile& file) const {
  if (file.digest.kind == Digest::Kind::none) { return is_right(snapshot_of(model) / file.path, file); }
  return find_file(model, listing, file).has_value();  // which goes by the hash
}

void ModelscopeCache::require_names(const ModelName& model, const Listing& /*listing*/) const {
  const std::string advice = "Use another revision, or another cache (MODELSCOPE_CACHE).";
  require_name(snapshot_of(model), fs::file_type::directory, advice);
  require_name(part_folder(model), fs::file_type::directory, advice);
}

ModelCache::PartPlace ModelscopeCache::part_place(const ModelName& model, const Listing& /*listing*/,
                                                  const ListedFile& file) const {
  const fs::path whole = whole_file(model, file);
  return {whole.parent_path(), whole.filename().string()};
}

void ModelscopeCache::keep(const ModelName& model, const Listing& /*listing*/, const ListedFile& file,
                           const fs::path& whole) const {
  rename_to(whole, whole_file(model, file));
}

bool ModelscopeCache::is_right(const fs::path& path, const ListedFile& file) const {
  struct stat status{};
  if (!has_size(path, file) || ::stat(path.c_str(), &status) != 0) { return false; }
  if (file.digest.kind == Digest::Kind::none) { return true; }
  const std::string key = str_cat(path.string(), "\n", status.st_ino, ".", status.st_mtim.tv_sec, ".",
                                  status.st_mtim.tv_nsec, ".", file.digest.hex);
  if (right_.contains(key)) { return true; }
  if (digest_of_file(path, file.digest.kind) != file.digest.hex) { return false; }
  right_.insert(key);
  return true;
}

/// Whether a file that is no mark loses its content for that of `file`.
bool ModelscopeCache::changes(const ModelName& model, const ListedFile& file) const {
  const fs::path name = snapshot_of(model) / file.path;
  if (is_mark(file) || !is_there(name)) { return false; }
  if (file.digest.kind != Digest::Kind::none) { return !is_right(name, file); }
  const fs::path whole = whole_file(model, file);
  return is_there(whole) && digest_of_file(name, Digest::Kind::sha256) != digest_of_file(whole, Digest::Kind::sha256);
}

/// Takes away what says that the snapshot is whole, and the index of shards that are no more.
void ModelscopeCache::unpublish(const ModelName& model, const std::vector<ListedFile>& files,
                                const fs::path& index) const {
  const fs::path snapshot = snapshot_of(model);
  for (const ListedFile& file : files) {
    if (!is_mark(file)) { continue; }
    // Another process may put the right one there at any time: only what was looked at under another name is removed.
    const fs::path aside = temporary_beside(snapshot / file.path);
    if (!moved(snapshot / file.path, aside)) { continue; }
    if (is_right(aside, file)) {
      do {
        make_folders(part_folder(model));  // who publishes removes it where it is empty
      } while (!moved(aside, whole_file(model, file)) && is_there(aside));
    } else {
      fs::remove(aside);
    }
  }
  sync_to_disk(snapshot);
  if (!index.empty()) { fs::remove(index); }
}

void ModelscopeCache::give_name(const ModelName& model, const std::vector<ListedFile>& files,
                                const ListedFile& file) const {
  const fs::path snapshot = snapshot_of(model);
  const fs::path name = snapshot / file.path;
  make_folders(name.parent_path());
  const fs::path whole = whole_file(model, file);
  if ((is_there(whole) && moved(whole, name)) || is_right(name, file)) { return; }  // right: somebody was faster
  const auto twin = std::ranges::find_if(files, [&](const ListedFile& other) {
    return other.path != file.path && file.digest.kind != Digest::Kind::none && other.digest == file.digest &&
           is_right(snapshot / other.path, file);
  });
  if (twin == files.end()) { throw Vanished(name); }
  copy_whole(snapshot / twin->path, name);
}

fs::path ModelscopeCache::publish(const ModelName& model, const Listing& listing,
                                  const std::vector<ListedFile>& files) const {
  const fs::path snapshot = snapshot_of(model);
  make_folders(snapshot);
  const fs::path index = snapshot / kSafetensorsIndex;
  const bool index_is_old = !listing.find(kSafetensorsIndex) && fs::exists(index);
  if (index_is_old || std::ranges::any_of(files, [&](const ListedFile& file) { return changes(model, file); })) {
    unpublish(model, files, index_is_old ? index : fs::path());
  }
  for (const bool marks : {false, true}) {
    for (const ListedFile& file : files) {
      if (is_mark(file) == marks) { give_name(model, files, file); }
    }
    sync_to_disk(snapshot);
  }
  std::error_code not_empty;
  fs::remove(part_folder(model), not_empty);
  return snapshot;
}

}  // namespace mdl::worker::hub

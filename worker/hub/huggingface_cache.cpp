#include "worker/hub/huggingface_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/missing_files.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";

std::string revision_of(const ModelName& model) {
  return model.revision.value_or("main");
}

/// Whether the file under `name`, or that to which a link of the user's leads, has the content of `blob`, or, where
/// that moved there, the size of it.
bool is_right(const fs::path& blob, const fs::path& name, const ListedFile& file) {
  std::error_code error;
  if (!has_size(name, file)) { return false; }
  return !is_there(blob) || fs::equivalent(blob, name, error) ||
         digest_of_file(name, file.digest.kind) == file.digest.hex;
}

/// Of symlink(): the disk has no such thing, rather than no room or too short names.
bool knows_no_links(int why) {
  return why == EPERM || why == EOPNOTSUPP || why == ENOTSUP || why == ENOSYS || why == EINVAL;
}

/// Nobody needs it.
void try_to_write_tag(const fs::path& root) {
  std::error_code error;
  const fs::path tag = root / "CACHEDIR.TAG";
  if (fs::exists(tag, error)) { return; }
  try {
    write_small_file(tag, kTag);
  } catch (const Error&) {}
}

}  // namespace

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
  return {.folder = snapshot, .missing = missing_files(snapshot, parts, listing.value_or("")), .commit = commit};
}

std::optional<fs::path> HuggingFaceCache::find_file(const ModelName& model, const Listing& listing,
                                                    const ListedFile& file) const {
  const fs::path folder = folder_of(model);
  for (const fs::path& path : {folder / "blobs" / file.digest.hex, folder / "snapshots" / listing.commit / file.path}) {
    if (has_size(path, file)) { return path; }
  }
  return std::nullopt;
}

bool HuggingFaceCache::has_right(const ModelName& model, const Listing& listing, const ListedFile& file) const {
  const fs::path folder = folder_of(model);
  const fs::path name = folder / "snapshots" / listing.commit / file.path;
  const fs::path blob = folder / "blobs" / file.digest.hex;
  const auto is_listed = [&](const fs::path& path) { return has_content(path, file); };
  std::error_code error;
  if (!is_there(name) || fs::equivalent(name, blob, error)) { return is_there(blob) && is_listed(blob); }
  return is_listed(name) && (!is_there(blob) || is_listed(blob));
}

ModelCache::PartPlace HuggingFaceCache::part_place(const ModelName& model, const Listing& /*listing*/,
                                                   const ListedFile& file) const {
  return {folder_of(model) / "blobs", file.digest.hex};
}

void HuggingFaceCache::keep(const ModelName& model, const Listing& /*listing*/, const ListedFile& file,
                            const fs::path& whole) const {
  rename_to(whole, folder_of(model) / "blobs" / file.digest.hex);
}

void HuggingFaceCache::require_names(const ModelName& model, const Listing& listing) const {
  const std::string revision = revision_of(model);
  if (revision != listing.commit) {
    require_name(folder_of(model) / "refs" / revision, fs::file_type::regular,
                 str_cat("Name the commit: ", model.repository(), "@", listing.commit, "."));
  }
}

/// `name` is `depth` folders below the snapshot's. Without links of either kind a file that has its blob for itself
/// moves, as under Python.
void HuggingFaceCache::give_name(const fs::path& blob, const fs::path& name, const ListedFile& file,
                                 bool shares_blob) const {
  make_folders(name.parent_path());
  std::string target = "../../";
  for (auto depth = std::ranges::count(file.path, '/'); depth > 0; --depth) { target += "../"; }
  target += "blobs/" + blob.filename().string();
  std::error_code error;
  const bool is_ours = fs::is_symlink(name, error) && fs::read_symlink(name, error) == target && is_there(blob);
  if (is_ours || is_right(blob, name, file)) { return; }
  if (!is_there(blob)) { throw Vanished(blob); }
  const fs::path temporary = temporary_beside(name);
  if (symlinks_ && ::symlink(target.c_str(), temporary.c_str()) == 0) { return rename_to(temporary, name); }
  if (const int why = errno; symlinks_ && !knows_no_links(why)) {
    throw Error(describe_errno("cannot make a link beside", name.string(), why));
  }
  if (::linkat(AT_FDCWD, blob.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    rename_to(temporary, name);   // the same file under both names
    ::unlink(temporary.c_str());  // rename leaves it where both were one file already
  } else if (symlinks_ && !shares_blob && !fs::is_symlink(blob)) {
    rename_to(blob, name);
  } else {
    copy_whole(blob, name);
  }
}

fs::path HuggingFaceCache::publish(const ModelName& model, const Listing& listing,
                                   const std::vector<ListedFile>& files) const {
  const fs::path folder = folder_of(model);
  const fs::path snapshot = folder / "snapshots" / listing.commit;
  try_to_write_tag(root_);
  make_folders(snapshot);
  const auto is_last = [](const ListedFile& file) {
    return file.path == "config.json" || file.path == "adapter_config.json";
  };
  for (const bool last : {false, true}) {
    for (const ListedFile& file : files) {
      if (is_last(file) != last) { continue; }
      const bool shares = std::ranges::count(files, file.digest, &ListedFile::digest) > 1;
      give_name(folder / "blobs" / file.digest.hex, snapshot / file.path, file, shares);
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

#include "common/atomic_folder.hpp"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <random>
#include <string>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnfinished = ".unfinished-";

/// A new folder TARGET.unfinished-RANDOM: nobody else's, as process ids of several hosts are not.
fs::path make_unfinished(const fs::path& target) {
  std::random_device random;
  while (true) {
    fs::path folder = str_cat(target.string(), kUnfinished, random());
    fs::create_directories(target.parent_path());
    if (fs::create_directory(folder)) return folder;
  }
}

/// Removes what earlier runs that were killed left of `target`. Of one that lives, and was thought dead, it makes a run
/// that fails.
void remove_unfinished(const fs::path& target) {
  const std::string begin = target.filename().string() + kUnfinished;
  if (!fs::exists(target.parent_path())) return;
  for (const auto& entry : fs::directory_iterator(target.parent_path())) {
    if (entry.path().filename().string().compare(0, begin.size(), begin) == 0) fs::remove_all(entry.path());
  }
}

/// What a folder is called for a moment where two names cannot be exchanged.
fs::path replaced_name(const fs::path& target) {
  return target.string() + ".replaced";
}

}  // namespace

void publish_folder(const fs::path& finished, const fs::path& target) {
  fs::path older;
  if (!fs::exists(target)) {
    fs::rename(finished, target);
  } else if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    older = finished;
  } else if (errno == EINVAL || errno == ENOSYS) {  // a network file system, as a rule
    older = replaced_name(target);
    fs::remove_all(older);
    fs::rename(target, older);
    fs::rename(finished, target);
  } else {
    throw Error(describe_errno("cannot rename to", target, errno));
  }
  sync_to_disk(fs::absolute(target).parent_path());
  if (!older.empty()) fs::remove_all(older);
}

void write_folder_atomically(const fs::path& target, const std::function<void(const fs::path&)>& fill) {
  const fs::path absolute = fs::absolute(target / "").lexically_normal().parent_path();  // without a slash at its end
  fs::path unfinished;
  try {
    remove_unfinished(absolute);
    fs::remove_all(replaced_name(absolute));
    unfinished = make_unfinished(absolute);
    fill(unfinished);
    for (const auto& entry : fs::recursive_directory_iterator(unfinished)) sync_to_disk(entry.path());
    sync_to_disk(unfinished);
    publish_folder(unfinished, absolute);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw Error(str_cat("cannot write ", target.string(), ": ", error.code().message()));
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw;
  }
}

void remove_folder_atomically(const fs::path& target) {
  const fs::path removed = target.string() + std::string(kRemovedEnd);
  try {
    fs::remove_all(removed);
    fs::rename(target, removed);
    sync_to_disk(fs::absolute(target).parent_path());
    fs::remove_all(removed);
  } catch (const fs::filesystem_error& error) {
    throw Error(str_cat("cannot remove ", target.string(), ": ", error.code().message()));
  }
}

}  // namespace mdl

#include "common/folder_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

/// Also of a folder of the same disk (a bind mount, as a container has), which has the same device number.
bool is_mount_point(const fs::path& folder) {
  struct statx status{};
  if (::statx(AT_FDCWD, folder.c_str(), 0, 0, &status) != 0) { return false; }
  if (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) { return status.stx_attributes & STATX_ATTR_MOUNT_ROOT; }
  struct stat own{}, parent{};  // kernels before 5.8
  return ::stat(folder.c_str(), &own) == 0 && ::stat((folder / "..").c_str(), &parent) == 0 &&
         (own.st_dev != parent.st_dev || own.st_ino == parent.st_ino);
}

/// Renamed, it would be gone under the user's feet.
bool is_working_folder(const fs::path& folder) {
  std::error_code error;
  return fs::equivalent(folder, ".", error);
}

/// Tries whether folders can be made in `folder` and renamed. Returns 0 or why not, as an errno.
int try_folder(const fs::path& folder) {
  const std::string trial = (folder / str_cat(kFolderTrial, std::random_device{}())).string(),
                    renamed = trial + "-renamed";
  if (::mkdir(trial.c_str(), 0700) != 0) { return errno; }
  const int error = ::rename(trial.c_str(), renamed.c_str()) != 0 ? errno : 0;
  ::rmdir(error ? trial.c_str() : renamed.c_str());
  return error;
}

fs::path nearest_existing(fs::path folder) {
  while (!fs::exists(folder) && folder != folder.parent_path()) { folder = folder.parent_path(); }
  return folder;
}

[[noreturn]] void refuse(const fs::path& folder, int error) {
  throw Error(describe_errno("cannot write to the folder", folder.string(), error),
              "Give a folder in which you may make files and rename them.");
}

/// The name without links, also where the end of it does not exist yet.
fs::path followed(const fs::path& name) {
  std::error_code error;
  fs::path followed = fs::weakly_canonical(fs::absolute(name), error);  // LINK/.. is the folder above where it leads
  if (!followed.has_filename()) {
    followed = followed.parent_path();  // without a slash at its end
  }
  if (error) { throw Error(str_cat("cannot find the folder ", name.string(), ": ", error.message())); }
  for (fs::path part = followed; part != part.parent_path(); part = part.parent_path()) {
    if (!fs::is_symlink(part)) {
      continue;  // weakly_canonical() leaves only links to nothing
    }
    throw Error(str_cat(part.string(), " is a link to ", fs::read_symlink(part).string(), ", which does not exist"),
                "Make that folder, or remove the link.");
  }
  return followed;
}

}  // namespace

fs::path FolderPlace::beside_or_inside(const std::string& ending) const {
  return inside ? target / ending : fs::path(target.string() + ending);
}

FolderPlace find_folder_place(const fs::path& name) try {
  FolderPlace place{followed(name)};
  if (!fs::is_directory(place.target)) {
    if (fs::exists(place.target)) { return place; }
    const fs::path parent = nearest_existing(place.target.parent_path());
    if (const int error = try_folder(parent)) { refuse(parent, error); }
    return place;
  }
  place.inside =
      is_mount_point(place.target) || is_working_folder(place.target) || try_folder(place.target.parent_path()) != 0;
  if (const int error = place.inside ? try_folder(place.target) : 0) { refuse(place.target, error); }
  return place;
} catch (const fs::filesystem_error& error) {
  throw Error(str_cat("cannot find the folder ", name.string(), ": ", error.code().message()));
}

}  // namespace mdl

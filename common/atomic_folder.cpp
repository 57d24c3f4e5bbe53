#include "common/atomic_folder.hpp"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <random>
#include <set>
#include <string>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/folder_place.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

/// A new folder TARGET.unfinished-RANDOM, or TARGET/.unfinished-RANDOM: nobody else's, as process ids of several hosts
/// are not.
fs::path make_unfinished(const FolderPlace& place) {
  std::random_device random;
  while (true) {
    fs::path folder = place.beside_or_inside(str_cat(kUnfinishedFolder, random()));
    fs::create_directories(folder.parent_path());
    if (fs::create_directory(folder)) { return folder; }
  }
}

/// Removes what earlier runs that were killed left of the place. Of one that lives, and was thought dead, it makes a
/// run that fails.
void remove_unfinished(const FolderPlace& place) {
  const fs::path begin = place.beside_or_inside(std::string(kUnfinishedFolder));
  if (!fs::exists(begin.parent_path())) { return; }
  for (const auto& entry : fs::directory_iterator(begin.parent_path())) {
    if (entry.path().filename().string().starts_with(begin.filename().string())) { fs::remove_all(entry.path()); }
  }
}

/// What a folder is called for a moment where two names cannot be exchanged.
fs::path replaced_name(const fs::path& target) {
  return target.string() + ".replaced";
}

/// Puts `from` in the place of `to`, which is never without one of the two. `from` may be the older one afterwards.
void move_over(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) { return; }
  const int error = errno;
  const bool folder_in_the_way = error == EISDIR || error == ENOTDIR || error == ENOTEMPTY || error == EEXIST;
  if (!folder_in_the_way) { throw fs::filesystem_error("rename", from, to, {error, std::generic_category()}); }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return;  // of two folders
  }
  fs::remove_all(to);  // a file system that cannot exchange
  fs::rename(from, to);
}

/// Brings the files of `finished` into `target`, whose older ones go when the new ones are there: what both have, as
/// files that a user put there, is there at any moment. The root of a disk has lost+found.
void move_files(const fs::path& finished, const fs::path& target, const MoveOrder& order) {
  const auto entries = [](const fs::path& folder) {
    std::set<fs::path> names;
    for (const auto& entry : fs::directory_iterator(folder)) { names.insert(entry.path().filename()); }
    return names;
  };
  const std::set<fs::path> files = entries(finished);
  if (!order.last.empty() && fs::remove(target / order.last)) { sync_to_disk(target); }
  for (const fs::path& name : files) {
    if (name != order.last && name != order.never) { move_over(finished / name, target / name); }
  }
  for (const fs::path& name : entries(target)) {
    const bool kept = files.contains(name) && name != order.never;
    if (!kept && target / name != finished && name != "lost+found") { fs::remove_all(target / name); }
  }
  sync_to_disk(target);
  if (!order.last.empty()) { fs::rename(finished / order.last, target / order.last); }
  sync_to_disk(target);
  fs::remove_all(finished);
}

/// Gives `finished` the name of an older folder, and returns what that is called now; nothing when they cannot be
/// renamed.
fs::path exchange(const fs::path& finished, const fs::path& target) {
  if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) { return finished; }
  if (errno == ENOENT) { throw Error(describe_errno("cannot rename to", target, errno)); }
  // A network file system, as a rule, which has no exchange.
  const fs::path older = replaced_name(target);
  fs::remove_all(older);
  if (::rename(target.c_str(), older.c_str()) != 0) { return {}; }
  fs::rename(finished, target);
  return older;
}

}  // namespace

void publish_folder(const fs::path& finished, const fs::path& target, const MoveOrder& order) {
  const bool inside = finished.parent_path() == target;
  const bool replaces = !inside && fs::exists(target);
  const fs::path older = replaces ? exchange(finished, target) : fs::path();
  if (inside || (replaces && older.empty())) { return move_files(finished, target, order); }
  if (!replaces) { fs::rename(finished, target); }
  sync_to_disk(target.parent_path());
  if (!older.empty()) { fs::remove_all(older); }
}

void write_folder_atomically(const fs::path& target, const std::function<void(const fs::path&)>& fill) {
  fs::path unfinished;
  try {
    const FolderPlace place = find_folder_place(target);
    remove_unfinished(place);
    fs::remove_all(replaced_name(place.target));
    unfinished = make_unfinished(place);
    fill(unfinished);
    for (const auto& entry : fs::recursive_directory_iterator(unfinished)) {
      const auto type = entry.symlink_status().type();  // a link may lead nowhere, and opening a pipe would wait
      if (type == fs::file_type::regular || type == fs::file_type::directory) { sync_to_disk(entry.path()); }
    }
    sync_to_disk(unfinished);
    publish_folder(unfinished, place.target);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    const std::string at = error.path1().empty() ? "" : str_cat(error.path1().string(), ": ");
    throw Error(str_cat("cannot write ", target.string(), ": ", at, error.code().message()));
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

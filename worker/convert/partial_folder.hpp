#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "common/folder_place.hpp"
#include "common/unique_fd.hpp"

namespace mdl::worker::convert {

/// TARGET.partial, or TARGET/.partial where TARGET cannot be renamed: where a dataset is made before it gets its name.
/// Its file `plan` names the data files and fingerprints of what each is made from, so that a later run knows which it
/// can keep. While this object lives, no other process uses the folder (a file lock).
class PartialFolder {
 public:
  /// Where a dataset `target` is made. Throws UsageError when it is a file, or a folder with something else in it than
  /// a dataset; Error as find_folder_place() does, so that what would fail at the end fails now.
  static FolderPlace place_for(const std::filesystem::path& target);

  /// Name of a data file -> fingerprint of what it is made from.
  using Plan = std::map<std::string, std::string>;

  /// Makes the folder, or takes up that of an earlier run and keeps the data files with the same fingerprints. Throws
  /// Error when it cannot be made, holds anything but a conversion's files, or another process is at it.
  PartialFolder(const FolderPlace& place, const Plan& plan);

  const std::filesystem::path& path() const { return folder_; }
  bool has(const std::string& file) const { return std::filesystem::exists(folder_ / file); }

  /// Throws Error when the disk has less room than `bytes`.
  void require_space(std::int64_t bytes) const;

  /// Gives the folder its name, in place of an older dataset if there is one. Throws Error when that fails; what was
  /// made is kept then, and a later run takes it up.
  void publish();

 private:
  /// Takes back what a run that was killed in publish() has moved already.
  void take_back();

  std::filesystem::path target_;
  std::filesystem::path folder_;
  UniqueFd lock_;
};

}  // namespace mdl::worker::convert

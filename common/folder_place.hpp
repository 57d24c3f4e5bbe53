#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace mdl {

/// Where a folder is made before it appears under its name. As a rule that is beside it, so that a rename brings the
/// whole folder at once. A folder that cannot be renamed is filled from a folder inside it: one that something is
/// mounted on, the working folder of this process, and one in a folder where the user may not write.
struct FolderPlace {
  std::filesystem::path target;  ///< absolute, without links and without a slash at its end
  bool inside = false;           ///< `target` exists and cannot be renamed

  /// The path of the folder that it is made in: TARGET`ending`, or TARGET/`ending`.
  std::filesystem::path beside_or_inside(const std::string& ending) const;
};

/// How the names of the folders begin that find_folder_place() makes for a moment; a killed process may leave one.
inline constexpr std::string_view kFolderTrial = ".trial-";

/// Where the folder `name` can be made. A link is followed. What could fail only at the end is tried here: a folder is
/// made there, renamed, and removed again; none of the parents that are missing is made. Throws Error naming the folder
/// and the reason when that fails, and for a link to nothing. `name` may also be a file, which is for the caller to
/// refuse.
FolderPlace find_folder_place(const std::filesystem::path& name);

}  // namespace mdl

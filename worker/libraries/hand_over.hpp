#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mdl::worker::libraries {

/// How mdl-toolkit turns into the program that does the work, with the libraries that it has found for it.
///
/// The loader takes the libraries of LD_LIBRARY_PATH before others, so it begins with their folders. It and the
/// libraries' own start run in the root folder: a library of a package may name the current folder as a place of its
/// libraries (libcusparseLt's RUNPATH ends with a colon), and there anything may lie. MDL_TOOLKIT_START tells the
/// program how to undo both, which take_over() does first of all.
inline constexpr const char* kStartVariable = "MDL_TOOLKIT_START";

/// The program that has handed over, for take_over() as well.
inline constexpr const char* kFrontVariable = "MDL_TOOLKIT_FRONT";

/// Replaces this process, which stays the same for whoever started it (process id, environment, open files), by
/// `program`. `argv`: the command line of main(). Throws Error when that fails.
[[noreturn]] void hand_over(const std::filesystem::path& program, const std::vector<std::filesystem::path>& folders,
                            char** argv);

/// LD_LIBRARY_PATH for the program: `folders`, then what the user has there (null: nothing), whose relative parts are
/// below `current`. Empty parts, which mean the current folder, are left out and counted (pure). Throws Error when
/// one of the folders has a colon or semicolon, where the loader would end its name.
struct LibraryPath {
  std::string text;
  int left_out = 0;
};
LibraryPath library_path(const std::vector<std::filesystem::path>& folders, const char* of_user,
                         const std::filesystem::path& current);

}  // namespace mdl::worker::libraries

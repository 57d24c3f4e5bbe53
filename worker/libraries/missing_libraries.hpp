#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mdl::worker::libraries {

/// A library that the loader would not find, or not take.
struct MissingLibrary {
  std::string name;               ///< "libcudnn.so.9"
  std::string needed_by;          ///< the file that needs it, without its folder
  std::filesystem::path damaged;  ///< the file that has its name but is no library; empty where there is none
};

/// What a program needs and the loader (ld.so(8)) would not find or take, when LD_LIBRARY_PATH is `folders`: asked of
/// the program, of each library that it needs, and so on, but for libraries of the system, which are taken to be whole.
/// Nothing is loaded; it takes a millisecond or two for LibTorch's fifty files.
std::vector<MissingLibrary> missing_libraries(const std::filesystem::path& program,
                                              const std::vector<std::filesystem::path>& folders);

/// Whether the loader finds a library without being told where: in its cache (ld.so.cache, whose `bytes` these are) or
/// in one of its `folders`.
bool system_has(const std::string& library, const std::string& bytes,
                const std::vector<std::filesystem::path>& folders);

}  // namespace mdl::worker::libraries

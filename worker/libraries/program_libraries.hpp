#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "worker/libraries/library_search.hpp"

namespace mdl::worker::libraries {

/// The libraries with which one of mdl-toolkit's programs is to run.
struct ProgramLibraries {
  std::filesystem::path program;
  std::optional<TorchPackage> torch;  ///< nullopt: the program does without
  std::filesystem::path arrow;
  /// What LD_LIBRARY_PATH must begin with for the loader to take these and no others.
  std::vector<std::filesystem::path> folders;
};

/// Throws Error when the program is not there, a library is not found or does not fit, or one that they need is not
/// there (with its name and what brings it).
ProgramLibraries find_libraries(const std::filesystem::path& program, bool with_torch, const LibrarySearch& search);

/// The same for other programs to read, `mdl-launch doctor` above all: the keys built_for, program, libtorch,
/// pyarrow, library_path, missing (names), problem and advice. What is wrong is told in the last three.
nlohmann::json describe_libraries(const std::filesystem::path& program, bool with_torch, const LibrarySearch& search);

}  // namespace mdl::worker::libraries

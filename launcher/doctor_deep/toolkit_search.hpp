#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace mdl::launcher::doctor_deep {

/// Where mdl-toolkit may be.
struct ToolkitPlaces {
  std::string of_job{};            ///< the job's own program, where that is an mdl-toolkit; else empty
  std::filesystem::path folder{};  ///< mdl-launch's own
  std::string search_path{};       ///< PATH
};

/// The native mdl-toolkit: the job's own, else the one beside mdl-launch, else the first in PATH, there and there by
/// its own name (mdl-toolkit-native) before the one that Python's has, too. A script of Python's mdl-toolkit is none;
/// what others have put in its place is.
std::optional<std::string> find_toolkit(const ToolkitPlaces& places);

}  // namespace mdl::launcher::doctor_deep

#pragma once

#include <filesystem>
#include <string>

namespace mdl::worker::libraries {

/// The command that makes our package whole. It names the wheel's file: the name alone would mean PyPI's package of it,
/// whosever that is.
inline constexpr const char* kReinstall =
    "`pip install --force-reinstall --no-deps mdl_toolkit_native-*.whl`, the file of the wheel that it came from";

/// The folder with the program `name`, which mdl-toolkit in `folder` turns into: its own one (a build, or what was
/// installed from it), else that of our package among the packages beside it, where pip has put it. Where neither has
/// it: `folder`.
std::filesystem::path program_folder(const std::filesystem::path& folder, const std::string& name);

/// What to do when `program`, which program_folder() found or did not find, cannot be started.
std::string advice_to_start(const std::filesystem::path& program);

/// The libraries that a program of our package brought along: the folder lib beside it. Empty where it has none, or is
/// part of no package.
std::filesystem::path own_libraries(const std::filesystem::path& program);

}  // namespace mdl::worker::libraries

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::libraries {

/// The package of pip's that holds mdl-toolkit's programs and, in its folder lib, the libraries that these brought
/// along.
inline constexpr const char* kOwnPackage = "mdl_toolkit_native";

/// True also for what is not there.
bool everybody_may_write(const std::filesystem::path& folder);

/// Folders that hold Python packages ("…/site-packages"), found by where they lie.

/// Those of a virtual environment or another prefix: PREFIX/lib/python3.N/site-packages, the newest Python first. A
/// prefix that everybody may write to (/tmp) has none, nor has such a folder in it; unless the prefix is `trusted`,
/// because the user named it.
std::vector<std::filesystem::path> packages_of_prefix(const std::filesystem::path& prefix, bool trusted = false);

/// Those that a program in `folder` belongs to: a folder site-packages in it (the build folder has one), the one that
/// it lies in (as part of a package), and those of the prefix whose bin/ it is (an environment that a package put it
/// into). `pip install --target` makes a folder that is both, prefix and packages: it has our package. Those that
/// everybody may write to are left out.
std::vector<std::filesystem::path> packages_beside(const std::filesystem::path& folder);

/// The python3 that a shell would start, with `search` for PATH. What is relative or empty there is passed over: it
/// would be the current folder.
std::optional<std::filesystem::path> python_of_path(const std::string& search);

/// Those from which `python` imports torch and pyarrow. Where a virtual environment without access to the system's
/// packages holds the `wanted` one of them, it is known; else Python is asked (`python -c …`, some 30 ms; it imports
/// neither). With `python_path` (the value of PYTHONPATH) it is always asked, in the root folder and without the empty
/// and relative parts, which mean the current folder. No other thread may depend on the current folder meanwhile.
std::vector<std::filesystem::path> packages_of_python(const std::filesystem::path& python, const std::string& wanted,
                                                      const std::string& python_path);

}  // namespace mdl::worker::libraries

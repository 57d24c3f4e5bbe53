#pragma once

#include <filesystem>

namespace mdl {

/// Whether both paths lead to the same file or folder, however they are spelled: also through a symbolic or a hard
/// link. False when one is not there.
bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other);

/// Whether `path` is `folder` or lies in it, links followed. False when one is not there.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace mdl

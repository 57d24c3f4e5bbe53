#pragma once

#include <filesystem>
#include <string>

namespace mdl::worker::hub {

/// What the caches of all hubs do with files. Those that write throw Error naming the path.

/// Whether `path` is a file, or a link to one.
bool is_there(const std::filesystem::path& path);

void make_folders(const std::filesystem::path& folder);

/// A name next to `path` that nobody else uses.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

void rename_to(const std::filesystem::path& from, const std::filesystem::path& to);

/// Written by rename, under a temporary name of its own: several machines may write it at the same time.
void write_small_file(const std::filesystem::path& path, const std::string& text);

}  // namespace mdl::worker::hub

#pragma once

#include <filesystem>
#include <string>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/hub/listing.hpp"

namespace mdl::worker::hub {

/// A file that publish() needs is not there any more: another process has moved or removed it.
class Vanished : public Error {
 public:
  explicit Vanished(const std::filesystem::path& path)
      : Error(str_cat(path.string(), " has vanished"), "Start the same command again.") {}
};

/// What the caches of all hubs do with files. Those that write throw Error naming the path.

/// What to do where the disk of a cache is full.
inline constexpr const char* kMakeRoom =
    "Make room there, or name another place (HF_HUB_CACHE; of ModelScope MODELSCOPE_CACHE), and start the same command "
    "again: what has come stays.";

/// Whether `path` is a file, or a link to one.
bool is_there(const std::filesystem::path& path);

/// Whether `path` is a file of the listed size.
bool has_size(const std::filesystem::path& path, const ListedFile& file);

/// Whether `path` is a file of the listed size and hash (of the size alone, where the hub tells no hash).
bool has_content(const std::filesystem::path& path, const ListedFile& file);

void make_folders(const std::filesystem::path& folder);

/// A name in the folder of `path` that nobody else uses; a short one, as `path` may have the longest that there is.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

/// Throws UsageError with `advice` when `path` cannot become a file (or a folder, as `type` says): its name is too long
/// for the disk, or something of another type stands there or above.
void require_name(const std::filesystem::path& path, std::filesystem::file_type type, const std::string& advice);

/// Copies `from`, a whole file, to `to` by way of a temporary name, and flushes it to the disk. What fails leaves
/// nothing.
void copy_whole(const std::filesystem::path& from, const std::filesystem::path& to);

void rename_to(const std::filesystem::path& from, const std::filesystem::path& to);

/// Written by rename, under a temporary name of its own: several machines may write it at the same time.
void write_small_file(const std::filesystem::path& path, const std::string& text);

}  // namespace mdl::worker::hub

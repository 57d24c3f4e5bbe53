#include "worker/hub/cache_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/uuid.hpp"

namespace mdl::worker::hub {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool has_size(const fs::path& path, const ListedFile& file) {
  std::error_code error;
  return is_there(path) && fs::file_size(path, error) == static_cast<std::uintmax_t>(file.size);
}

bool has_content(const fs::path& path, const ListedFile& file) {
  return has_size(path, file) &&
         (file.digest.kind == Digest::Kind::none || digest_of_file(path, file.digest.kind) == file.digest.hex);
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) { throw Error(describe_errno("cannot create the folder", folder.string(), error.value())); }
}

fs::path temporary_beside(const fs::path& path) {
  return path.parent_path() / ("." + make_uuid().substr(0, 8) + ".tmp");
}

void require_name(const fs::path& path, fs::file_type type, const std::string& advice) {
  std::error_code error;
  const auto there = fs::status(path, error).type();
  int why = error == std::errc::filename_too_long || error == std::errc::not_a_directory ? error.value() : 0;
  if (why == 0 && fs::exists(fs::file_status(there)) && there != type) {
    why = there == fs::file_type::directory ? EISDIR : ENOTDIR;
  }
  fs::path folder = path;
  while (!fs::exists(folder, error) && folder.has_relative_path()) { folder = folder.parent_path(); }
  const long longest = ::pathconf(folder.c_str(), _PC_NAME_MAX);
  const auto is_longer = [&](const fs::path& name) { return std::ssize(name.native()) > longest; };
  if (why == 0 && longest > 0 && std::ranges::any_of(path, is_longer)) { why = ENAMETOOLONG; }
  if (why != 0) {
    throw UsageError(describe_errno("this revision can have no place in the cache:", path.string(), why), advice);
  }
}

void rename_to(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int why = errno;
    throw Error(describe_errno("cannot rename to", to.string(), why));
  }
}

void copy_whole(const fs::path& from, const fs::path& to) {
  const fs::path temporary = temporary_beside(to);
  std::error_code error;
  fs::copy_file(from, temporary, error);
  if (!error) {
    sync_to_disk(temporary);
    return rename_to(temporary, to);
  }
  ::unlink(temporary.c_str());
  const bool full = error == std::errc::no_space_on_device || error.value() == EDQUOT;
  throw Error(describe_errno(str_cat("cannot copy ", from.string(), " to"), to.string(), error.value()),
              full ? kMakeRoom : "");
}

void write_small_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = temporary_beside(path);
  write_text_atomically(temporary, text);
  rename_to(temporary, path);
}

}  // namespace mdl::worker::hub

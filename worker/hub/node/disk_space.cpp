#include "worker/hub/node/disk_space.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/size_text.hpp"

namespace mdl::worker::hub::node {

namespace fs = std::filesystem;

std::int64_t allocated_bytes(const fs::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 ? status.st_blocks * 512 : 0;
}

void require_free_space(const fs::path& folder, std::int64_t needed, const std::string& what,
                        const std::string& advice) {
  fs::path there = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) { there = there.parent_path(); }
  struct statvfs disk{};
  if (::statvfs(there.c_str(), &disk) != 0) { return; }  // who cannot be asked is tried
  const auto free = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  if (needed <= free) { return; }
  throw Error(str_cat(what, " needs ", cli::size_text(needed), " more, and the disk of ", folder.string(), " has ",
                      cli::size_text(free), " free"),
              advice);
}

}  // namespace mdl::worker::hub::node

#include "worker/hub/node/disk_space.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cstdio>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::hub::node {

namespace fs = std::filesystem;

std::int64_t allocated_bytes(const fs::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 ? status.st_blocks * 512 : 0;
}

std::string size_text(std::int64_t bytes) {
  if (bytes < 1000) { return str_cat(bytes, " bytes"); }
  constexpr std::array<const char*, 4> kUnits = {"kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; size >= 1000 && unit + 1 < kUnits.size(); ++unit) { size /= 1000; }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", size, kUnits[unit]);
  return text.data();
}

void require_free_space(const fs::path& folder, std::int64_t needed, const std::string& what) {
  fs::path there = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) { there = there.parent_path(); }
  struct statvfs disk{};
  if (::statvfs(there.c_str(), &disk) != 0) { return; }  // who cannot be asked is tried
  const auto free = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  if (needed <= free) { return; }
  throw Error(str_cat(what, " needs ", size_text(needed), " more, and the disk of ", folder.string(), " has ",
                      size_text(free), " free"),
              "Make room there, or name another place (HF_HUB_CACHE).");
}

}  // namespace mdl::worker::hub::node

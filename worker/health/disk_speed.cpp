#include "worker/health/disk_speed.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/health/timed_repeats.hpp"

namespace mdl::worker::health {
namespace {

namespace fs = std::filesystem;

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunk = std::size_t{4} << 20;
constexpr std::int64_t kRound = std::int64_t{16} << 20;  ///< that are written and synced at once

/// A file without a name.
UniqueFd open_nameless(const fs::path& folder) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (file) { return file; }
  // Not every file system has such files, NFS among them.
  std::string name = (folder / ".mdl-health-XXXXXX").string();
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) { throw Error(describe_errno("cannot write to", folder.string(), errno)); }
  ::unlink(name.c_str());
  return file;
}

std::vector<char> random_chunk() {
  std::mt19937_64 random(20260101);
  std::vector<char> chunk(kChunk);
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= kChunk; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), sizeof word, chunk.data() + i);
  }
  return chunk;
}

std::int64_t free_bytes(const fs::path& folder) {
  struct statvfs space{};
  if (::statvfs(folder.c_str(), &space) != 0) { throw Error(describe_errno("cannot ask", folder.string(), errno)); }
  return static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
}

void write_and_sync(const UniqueFd& file, const std::vector<char>& chunk, std::int64_t bytes, const fs::path& folder) {
  while (bytes > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(bytes, kChunk));
    const ssize_t done = ::write(file.get(), chunk.data(), wanted);
    if (done < 0 && errno == EINTR) { continue; }
    if (done <= 0) { throw Error(describe_errno("cannot write to", folder.string(), errno)); }
    bytes -= done;
  }
  if (::fsync(file.get()) != 0) { throw Error(describe_errno("cannot sync a file in", folder.string(), errno)); }
}

}  // namespace

fs::path nearest_folder(const fs::path& path) {
  std::error_code error;
  fs::path folder = fs::absolute(path, error);
  fs::file_type type = fs::status(folder, error).type();
  while (type == fs::file_type::not_found && folder != folder.parent_path()) {
    folder = folder.parent_path();
    type = fs::status(folder, error).type();
  }
  if (type == fs::file_type::directory) { return folder; }
  if (error) { throw Error(describe_errno("cannot look at", folder.string(), error.value())); }
  throw Error(str_cat("--output ", path.string(), ": ", folder.string(), " is a file, not a folder"));
}

HealthPart::Numbers measure_disk(const fs::path& folder, const DiskPlan& plan) {
  const std::int64_t free = free_bytes(folder);
  if (free < 2 * plan.bytes) {
    throw Error(str_cat(folder.string(), " has only ", free >> 20, " MiB free"), "Free some space.");
  }
  const std::vector<char> chunk = random_chunk();
  const UniqueFd file = open_nameless(folder);
  const auto end = Clock::now() + plan.limit;
  std::vector<std::chrono::nanoseconds> durations;
  std::int64_t written = 0;
  do {
    const std::int64_t round = std::min(plan.bytes - written, kRound);
    const auto begin = Clock::now();
    write_and_sync(file, chunk, round, folder);
    durations.push_back((Clock::now() - begin) * kRound / std::max<std::int64_t>(round, 1));
    written += round;
  } while (written < plan.bytes && Clock::now() < end);
  if (durations.size() > 1) { durations.erase(durations.begin()); }  // that one warmed up
  const auto median = std::max(median_duration(durations), std::chrono::nanoseconds(1));
  return {{"write_bytes_per_s", per_second(static_cast<double>(kRound), median)},
          {"bytes", written},
          {"repeats", std::ssize(durations)},
          {"free_bytes", free}};
}

}  // namespace mdl::worker::health

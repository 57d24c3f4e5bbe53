#include "worker/hub/part_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/uuid.hpp"
#include "worker/hub/hub_settings.hpp"
#include "worker/hub/part_owner.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".incomplete";

fs::path record_of(const fs::path& part) {
  return part.string() + ".ranges";
}

[[noreturn]] void fail(const char* operation, const fs::path& path, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
  throw Error(describe_errno(operation, path.string(), errno_value),
              full
                  ? "Make room there, or name another place (HF_HUB_CACHE), and start the same command again: what has "
                    "come stays."
                  : "");
}

void write_all(int fd, std::string_view bytes, std::int64_t offset, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count =
        offset < 0 ? ::write(fd, bytes.data(), bytes.size()) : ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) { continue; }
    if (count < 0) { fail("cannot write", path, errno); }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    if (offset >= 0) { offset += count; }
  }
}

/// The owner in the name of a part file that begins with `stem` (any, where that is empty).
std::optional<PartOwner> owner_of(std::string_view name, std::string_view stem) {
  if (!name.ends_with(kEnding) || !name.starts_with(stem)) { return std::nullopt; }
  name.remove_suffix(kEnding.size());
  const auto random = name.rfind('.');
  if (random == std::string_view::npos || random == 0) { return std::nullopt; }
  name = name.substr(0, random);
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || (!stem.empty() && dot != stem.size())) { return std::nullopt; }
  return parse_part_owner(name.substr(dot + 1));
}

std::string own_name(const std::string& stem) {
  return str_cat(stem, ".", this_process().text(), ".", make_uuid().substr(0, 8), kEnding);
}

/// Part files of processes that have ended, those with most bytes first.
std::vector<fs::path> abandoned_parts(const ModelCache::PartPlace& place, std::int64_t size) {
  const PartOwner here = this_process();
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator entry(place.folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto owner = owner_of(entry->path().filename().string(), place.stem);
    if (!owner || !has_ended(*owner, here)) { continue; }
    const auto record = read_file_if_there(record_of(entry->path())).value_or("");
    found.emplace_back(-parse_record(record, size).total(), entry->path());
  }
  std::ranges::sort(found);
  std::vector<fs::path> paths;
  for (const auto& [bytes, path] : found) { paths.push_back(path); }
  return paths;
}

void remove_part(const fs::path& part) {
  ::unlink(part.c_str());
  ::unlink(record_of(part).c_str());
}

}  // namespace

PartFile PartFile::open(const ModelCache::PartPlace& place, std::int64_t size) {
  const fs::path path = place.folder / own_name(place.stem);
  bool taken = false;
  for (const fs::path& part : abandoned_parts(place, size)) {
    if (taken) {
      remove_part(part);
    } else if (::rename(part.c_str(), path.c_str()) == 0) {  // else somebody else was faster
      ::rename(record_of(part).c_str(), record_of(path).c_str());
      taken = true;
    }
  }
  return PartFile(path, size);
}

PartFile::PartFile(fs::path path, std::int64_t size)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)),
      record_(::open(record_of(path_).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (!file_ || !record_) { fail("cannot create", path_, errno); }
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) { fail("cannot read", path_, errno); }
  found_ = parse_record(read_text(record_of(path_)), size);
  const auto gaps = found_.missing(size);
  const std::int64_t reach = gaps.empty() || gaps.back().end < size ? size : gaps.back().begin;
  if (status.st_size < reach || status.st_size > size) { begin_anew(); }  // the record is not this file's
}

void PartFile::write(std::int64_t offset, std::string_view bytes) const {
  write_all(file_.get(), bytes, offset, path_);
}

void PartFile::note(ByteRange range) const {
  if (range.size() > 0) { write_all(record_.get(), record_line(range), -1, record_of(path_)); }
}

void PartFile::begin_anew() {
  if (::ftruncate(record_.get(), 0) != 0 || ::ftruncate(file_.get(), 0) != 0) { fail("cannot truncate", path_, errno); }
  found_ = {};
}

void PartFile::sync() const {
  if (::fsync(file_.get()) != 0) { fail("cannot flush to disk", path_, errno); }
}

void PartFile::remove_record() const {
  ::unlink(record_of(path_).c_str());
}

void PartFile::remove() const {
  remove_part(path_);
}

ForeignParts foreign_parts(const fs::path& folder) {
  const PartOwner here = this_process();
  ForeignParts found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto owner = owner_of(entry->path().filename().string(), "");
    const bool of_this_table = owner && owner->boot == here.boot && owner->pid_namespace == here.pid_namespace;
    struct stat status{};
    if (!owner || of_this_table || has_ended(*owner, here) || ::stat(entry->path().c_str(), &status) != 0) { continue; }
    ++found.count;
    found.bytes += status.st_blocks * 512;
  }
  return found;
}

}  // namespace mdl::worker::hub

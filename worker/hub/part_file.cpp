#include "worker/hub/part_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/uuid.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/part_owner.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".incomplete";
constexpr std::string_view kRecordEnding = ".ranges";
constexpr std::size_t kLongestRecord = 16 << 20;

fs::path record_of(const fs::path& part) {
  return part.string() + std::string(kRecordEnding);
}

[[noreturn]] void fail(const char* operation, const fs::path& path, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
  throw Error(describe_errno(operation, path.string(), errno_value), full ? kMakeRoom : "");
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

/// Opens a file that a process of this user left. In a folder where others may write, its name may be a link to
/// somewhere else, a pipe or a folder by now: then, as where there is none, nothing.
UniqueFd open_own(const fs::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  const bool own = fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
                   status.st_nlink == 1;
  return own ? std::move(fd) : UniqueFd();
}

/// Begins a file that nobody has begun.
UniqueFd create(const fs::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!fd) { fail("cannot create", path, errno); }
  return fd;
}

/// The text of a record, as much of it as a record of ours may have.
std::string read_record(const UniqueFd& record) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (record && text.size() < kLongestRecord) {
    const ssize_t count = ::pread(record.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (count < 0 && errno == EINTR) { continue; }
    if (count <= 0) { break; }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
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
    if (!owner || !has_ended(*owner, here) || !open_own(entry->path(), O_RDWR)) { continue; }
    const std::string record = read_record(open_own(record_of(entry->path()), O_RDONLY));
    found.emplace_back(-http::parse_record(record, size).total(), entry->path());
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

/// Begins the record of `path` with what that of `part` says. It is a copy, so that whenever a kill comes, one of the
/// two names has the file and its record: a record alone costs nothing, a file without one all its bytes.
UniqueFd copy_record(const fs::path& part, const fs::path& path, std::int64_t size) {
  std::string text;
  for (const http::ByteRange range : http::parse_record(read_record(open_own(record_of(part), O_RDONLY)), size).all()) {
    text += http::record_line(range);
  }
  UniqueFd record = create(record_of(path), O_RDWR | O_APPEND);
  write_all(record.get(), text, -1, record_of(path));
  return record;
}

}  // namespace

PartFile PartFile::open(const ModelCache::PartPlace& place, std::int64_t size) {
  const fs::path path = place.folder / own_name(place.stem);
  UniqueFd file, record;
  for (const fs::path& part : abandoned_parts(place, size)) {
    if (file) {
      remove_part(part);
    } else {
      record = copy_record(part, path, size);
      if (::rename(part.c_str(), path.c_str()) == 0) {
        ::unlink(record_of(part).c_str());
        file = open_own(path, O_RDWR);
      }
      if (!file) { remove_part(path); }  // somebody else was faster, or has put something else there
    }
  }
  if (!file) {
    file = create(path, O_RDWR);
    record = create(record_of(path), O_RDWR | O_APPEND);
  }
  return PartFile(path, std::move(file), std::move(record), size);
}

PartFile::PartFile(fs::path path, UniqueFd file, UniqueFd record, std::int64_t size)
    : path_(std::move(path)), file_(std::move(file)), record_(std::move(record)) {
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) { fail("cannot read", path_, errno); }
  found_ = http::parse_record(read_record(record_), size);
  const auto gaps = found_.missing(size);
  const std::int64_t reach = gaps.empty() || gaps.back().end < size ? size : gaps.back().begin;
  if (status.st_size < reach || status.st_size > size) { begin_anew(); }  // the record is not this file's
}

void PartFile::write(std::int64_t offset, std::string_view bytes) const {
  write_all(file_.get(), bytes, offset, path_);
}

void PartFile::note(http::ByteRange range) const {
  if (range.size() > 0) { write_all(record_.get(), http::record_line(range), -1, record_of(path_)); }
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

void remove_leftovers(const fs::path& folder, const std::set<std::string>& stems) {
  const PartOwner here = this_process();
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::string part = entry->path().filename().string();
    if (part.ends_with(kRecordEnding)) { part.resize(part.size() - kRecordEnding.size()); }
    const auto owner = owner_of(part, "");
    if (!owner || !has_ended(*owner, here) || !open_own(entry->path(), O_RDONLY)) { continue; }
    if (stems.contains(part.substr(0, part.find("." + owner->text() + ".")))) { found.push_back(entry->path()); }
  }
  for (const fs::path& path : found) { ::unlink(path.c_str()); }
  ::rmdir(folder.c_str());  // where it is empty
}

ForeignParts foreign_parts(const fs::path& folder) {
  const PartOwner here = this_process();
  ForeignParts found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto owner = owner_of(entry->path().filename().string(), "");
    const bool of_this_table =
        owner && owner->start_time != 0 && owner->boot == here.boot && owner->pid_namespace == here.pid_namespace;
    struct stat status{};
    if (!owner || of_this_table || has_ended(*owner, here) || ::lstat(entry->path().c_str(), &status) != 0) {
      continue;
    }
    ++found.count;
    found.bytes += status.st_blocks * 512;
  }
  return found;
}

}  // namespace mdl::worker::hub

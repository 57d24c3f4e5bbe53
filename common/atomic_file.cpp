#include "common/atomic_file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl {
namespace fs = std::filesystem;
namespace {

/// The file that a link leads to, which need not exist yet.
fs::path end_of_links(fs::path path) {
  std::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(path, error); ++links) {
    path = path.parent_path() / fs::read_symlink(path);
  }
  return path;
}

std::string describe_no_file(mode_t mode) {
  if (S_ISREG(mode)) { return {}; }
  return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a named pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/// A pipe without a name has had its writer from the beginning; opening a named one waits for one.
bool is_nameless_pipe(int fd, const struct stat& status) {
  struct statfs system{};
  return S_ISFIFO(status.st_mode) && ::fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

bool is_terminal_or_null(int fd, const struct stat& status) {
  return S_ISCHR(status.st_mode) && (status.st_rdev == ::makedev(1, 3) || ::isatty(fd));
}

/// Opens what read_text() reads, and never waits for a writer.
UniqueFd open_to_read(const fs::path& path, struct stat& status) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd || ::fstat(fd.get(), &status) != 0) { throw Error(describe_errno("cannot read", path, errno)); }
  const bool folder_or_file = S_ISDIR(status.st_mode) || S_ISREG(status.st_mode);  // reading tells that it is a folder
  if (!folder_or_file && !is_nameless_pipe(fd.get(), status) && !is_terminal_or_null(fd.get(), status)) {
    throw Error(str_cat("cannot read ", path.string(), ": it is ", describe_no_file(status.st_mode), ", not a file"));
  }
  ::fcntl(fd.get(), F_SETFL, 0);  // from now on, reading waits
  return fd;
}

}  // namespace

void sync_to_disk(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { throw Error(describe_errno("cannot open", path, errno)); }
  if (::fsync(fd.get()) != 0) { throw Error(describe_errno("cannot flush to disk", path, errno)); }
}

void write_atomically(const fs::path& name, const std::function<void(const fs::path&)>& fill) {
  const fs::path path = end_of_links(name);
  if (const std::string other = describe_no_file(path); !other.empty()) {  // /dev/null would be a file then
    throw Error(str_cat("cannot write ", name.string(), ": it is ", other, ", not a file"), "Name a file.");
  }
  const fs::path temporary = path.string() + str_cat(".tmp.", ::getpid());
  try {
    fill(temporary);
    sync_to_disk(temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw Error(describe_errno("cannot rename to", path, errno));
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_to_disk(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, [&](const fs::path& temporary) {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) { throw Error(describe_errno("cannot create", path, errno)); }
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(fd.get(), text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) { continue; }
      if (n < 0) { throw Error(describe_errno("cannot write", path, errno)); }
      done += static_cast<std::size_t>(n);
    }
  });
}

std::string read_text(const fs::path& path) {
  const auto failed = [&] { return Error(describe_errno("cannot read", path, errno)); };
  struct stat status{};
  const UniqueFd fd = open_to_read(path, status);
  const std::size_t size = std::max<std::size_t>(static_cast<std::size_t>(status.st_size), 4096);  // /proc says 0
  std::string text;
  text.reserve(size + 128);  // simdjson wants room behind a text, and copies one that has none
  text.resize(size + 1);     // so that the end is seen at once
  for (std::size_t done = 0;;) {
    const ssize_t n = ::read(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) { continue; }
    if (n < 0) { throw failed(); }
    done += static_cast<std::size_t>(n);
    if (n == 0) {
      text.resize(done);
      return text;
    }
    if (done == text.size()) { text.resize(2 * done); }
  }
}

std::string describe_no_file(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? describe_no_file(status.st_mode) : std::string();
}

}  // namespace mdl

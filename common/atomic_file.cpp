#include "common/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
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

}  // namespace

void sync_to_disk(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { throw Error(describe_errno("cannot open", path, errno)); }
  if (::fsync(fd.get()) != 0) { throw Error(describe_errno("cannot flush to disk", path, errno)); }
}

void write_atomically(const fs::path& name, const std::function<void(const fs::path&)>& fill) {
  const fs::path path = end_of_links(name);
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
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { throw failed(); }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) { throw failed(); }
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

}  // namespace mdl

#include "worker/hub/cache_files.hpp"

#include <cerrno>
#include <cstdio>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/uuid.hpp"

namespace mdl::worker::hub {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) { throw Error(describe_errno("cannot create the folder", folder.string(), error.value())); }
}

fs::path temporary_beside(const fs::path& path) {
  return path.string() + "." + make_uuid().substr(0, 8) + ".tmp";
}

void rename_to(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int why = errno;
    throw Error(describe_errno("cannot rename to", to.string(), why));
  }
}

void write_small_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = temporary_beside(path);
  write_text_atomically(temporary, text);
  rename_to(temporary, path);
}

}  // namespace mdl::worker::hub

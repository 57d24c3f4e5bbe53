#include "common/file_overlap.hpp"

namespace mdl {

namespace fs = std::filesystem;

bool is_same_file(const fs::path& one, const fs::path& other) {
  std::error_code error;
  return fs::equivalent(one, other, error) && !error;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  fs::path at = fs::canonical(path, error);
  while (!error && !is_same_file(at, folder)) {
    if (at == at.parent_path()) { return false; }
    at = at.parent_path();
  }
  return !error;
}

}  // namespace mdl

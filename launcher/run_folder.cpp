#include "launcher/run_folder.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher {
namespace fs = std::filesystem;
namespace {

fs::path make_unique_folder(const fs::path& parent, const std::string& prefix) {
  std::string name = (parent / (prefix + "XXXXXX")).string();
  if (!::mkdtemp(name.data())) {
    throw Error(describe_errno("cannot create a folder for the workers' files in", parent, errno),
                "Free space there, or choose another place with TMPDIR.");
  }
  return name;
}

}  // namespace

RunFolder::RunFolder(const std::string& base, const std::string& run_id) {
  if (base == "/dev/null") return;
  std::error_code error;
  fs::path parent = base;
  if (base.empty()) {
    parent = fs::temp_directory_path(error);
    if (error) throw Error(str_cat("no temporary folder: ", error.message()), "Set TMPDIR to a folder that exists.");
    temporary_ = parent = make_unique_folder(parent, "torchelastic_");
  } else if (fs::create_directories(parent, error); error || !fs::is_directory(parent)) {
    throw Error(str_cat("cannot use the log folder ", base, ": ", error ? error.message() : "it is a file"),
                "Choose another with --log-dir.");
  }
  std::string name = run_id;
  std::replace(name.begin(), name.end(), '/', '_');
  run_ = make_unique_folder(parent, name + "_");
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

fs::path RunFolder::open_attempt(int attempt, int workers) {
  if (run_.empty()) return {};
  fs::path folder = run_ / str_cat("attempt_", attempt);
  std::error_code error;
  fs::remove_all(folder, error);
  for (int local_rank = 0; local_rank < workers && !error; ++local_rank) {
    fs::create_directories(folder / std::to_string(local_rank), error);
  }
  if (error) throw Error(str_cat("cannot create ", folder.string(), ": ", error.message()));
  return folder;
}

fs::path RunFolder::error_file(int attempt, int local_rank) const {
  if (run_.empty()) return {};
  return run_ / str_cat("attempt_", attempt) / std::to_string(local_rank) / "error.json";
}

}  // namespace mdl::launcher

#include "launcher/output/run_folder.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/log_plan.hpp"

namespace mdl::launcher::output {
namespace fs = std::filesystem;
namespace {

// Bytes; a name in a file system has 255, of which seven are mkdtemp's.
constexpr std::size_t kLongestJobName = 200;

/// As much of a job's name as a folder can have, without a part of a letter (UTF-8).
std::string beginning_of(const std::string& run_id) {
  std::size_t size = std::min(run_id.size(), kLongestJobName);
  while (size > 0 && size < run_id.size() && (static_cast<unsigned char>(run_id[size]) & 0xC0) == 0x80) { --size; }
  return run_id.substr(0, size);
}

/// The new folder; empty, with errno set, when there is none.
fs::path try_unique_folder(const fs::path& parent, const std::string& prefix) {
  std::string name = (parent / (prefix + "XXXXXX")).string();
  return ::mkdtemp(name.data()) ? fs::path(name) : fs::path();
}

fs::path make_unique_folder(const fs::path& parent, const std::string& prefix, const std::string& advice) {
  fs::path folder = try_unique_folder(parent, prefix);
  if (folder.empty()) {
    throw Error(describe_errno("cannot create a folder for the workers' files in", parent, errno), advice);
  }
  return folder;
}

/// A folder in the first of Python's places for temporary files that takes one: a TMPDIR of another machine, or one
/// that is read-only here, must not keep a job from starting. What was passed over is told.
fs::path make_temporary_folder() {
  const std::string prefix = "torchelastic_";
  fs::path folder;
  std::vector<std::string> passed_over;
  for (const auto& [variable, place] : named_temporary_places()) {
    if (!folder.empty()) { break; }
    folder = try_unique_folder(place, prefix);
    if (folder.empty()) {
      passed_over.push_back(describe_errno("cannot create a folder for the workers' files in",
                                           str_cat(variable, "=", place.string()), errno));
    }
  }
  if (folder.empty()) {
    folder = make_unique_folder("/tmp", prefix, "Free space there, or choose another place with TMPDIR or --log-dir.");
  }
  for (const std::string& problem : passed_over) {
    log::warning(problem, "; using ", folder.parent_path().string(), " instead");
  }
  return folder;
}

}  // namespace

std::vector<std::pair<std::string, fs::path>> named_temporary_places() {
  std::vector<std::pair<std::string, fs::path>> places;
  for (const char* variable : {"TMPDIR", "TEMP", "TMP"}) {
    const char* place = std::getenv(variable);
    if (place && *place) { places.emplace_back(variable, fs::absolute(place)); }
  }
  return places;
}

RunFolder::RunFolder(const std::string& base, const std::string& run_id) {
  if (base == command_line::kNoLogFiles) { return; }
  std::error_code error;
  fs::path parent = base;
  if (base.empty()) {
    temporary_ = parent = make_temporary_folder();
  } else if (fs::create_directories(parent, error); error || !fs::is_directory(parent)) {
    throw Error(str_cat("cannot use the log folder ", base, ": ", error ? error.message() : "it is a file"),
                "Choose another with --log-dir.");
  }
  std::string name = beginning_of(run_id);
  std::replace(name.begin(), name.end(), '/', '_');
  run_ = make_unique_folder(parent, name + "_", "Free space there, or choose another place with --log-dir.");
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) { fs::remove_all(temporary_, ignored); }
}

fs::path RunFolder::open_attempt(int attempt, int workers) {
  if (run_.empty()) { return {}; }
  fs::path folder = run_ / str_cat("attempt_", attempt);
  std::error_code error;
  fs::remove_all(folder, error);
  for (int local_rank = 0; local_rank < workers && !error; ++local_rank) {
    fs::create_directories(folder / std::to_string(local_rank), error);
  }
  if (error) { throw Error(str_cat("cannot create ", folder.string(), ": ", error.message())); }
  return folder;
}

fs::path RunFolder::error_file(int attempt, int local_rank) const {
  if (run_.empty()) { return {}; }
  return run_ / str_cat("attempt_", attempt) / std::to_string(local_rank) / "error.json";
}

}  // namespace mdl::launcher::output

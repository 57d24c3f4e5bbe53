#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mdl::launcher::output {

/// Where the user wants temporary files, the best place first, and the variable that says so: Python's TMPDIR, TEMP and
/// TMP. Nothing is tried; where none of them takes a file /tmp does.
std::vector<std::pair<std::string, std::filesystem::path>> named_temporary_places();

/// The folder of one run, laid out as torchrun's: BASE/RUNID_XXXXXX/attempt_N/LOCALRANK/, where a worker finds the path
/// of its error file, and where its logs go. BASE is --log-dir, or a fresh folder below $TMPDIR (where that takes none,
/// below /tmp, with a warning), which is removed with all it holds at the end.
class RunFolder {
 public:
  /// The folder's name begins with the job's, or its first 200 bytes. `base` empty: a temporary one; "/dev/null": none
  /// at all, and every path is empty. Throws Error when it cannot be created, naming it.
  RunFolder(const std::string& base, const std::string& run_id);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Makes the folders of attempt `attempt` (0 is the first), empty, for `workers` local ranks.
  std::filesystem::path open_attempt(int attempt, int workers);

  /// attempt_N/LOCALRANK/error.json
  std::filesystem::path error_file(int attempt, int local_rank) const;

  const std::filesystem::path& path() const { return run_; }
  /// Leaves a temporary folder there, as its files are named to the user.
  void keep() { temporary_.clear(); }

 private:
  std::filesystem::path temporary_;  ///< to be removed; empty when the user chose the base
  std::filesystem::path run_;
};

}  // namespace mdl::launcher::output

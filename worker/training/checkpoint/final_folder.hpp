#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mdl::worker::training::checkpoint {

/// The file in final/ that says which run wrote it and what it wrote, so that what a user put there is known from it.
inline constexpr const char* kFinalRecordFile = "mdl_final.json";

/// The run and step that a final/ was written of (see RunIdentity).
struct FinalOrigin {
  std::string run;
  std::int64_t step = 0;
};

/// Whether a file of this name in final/ is always ours: weights and what describes them, of this or another form of
/// the model. An older run's would make a mix with the new ones.
bool is_ours_in_final(const std::string& name);

/// Writes kFinalRecordFile of all files in `folder`, before the user's are added.
void write_final_record(const std::filesystem::path& folder, const FinalOrigin& origin);

/// Brings to `unfinished`, the new final/, what a user put into `older`, the one that it replaces: all that is neither
/// ours by its name nor unchanged since it was written there; of a file that both have the user's. Files are linked,
/// not copied, where that is possible. Returns the names. Does nothing when there is no `older`. Throws
/// filesystem_error.
std::vector<std::string> keep_users_files(const std::filesystem::path& older, const std::filesystem::path& unfinished);

/// Whether a run whose last step was done before, `now`, finds its final/ there. Not when it has no weights, or another
/// run's or an earlier step's, or left half moved by a kill; where one of the two does not say whose it is, it is taken
/// for this run's. A launcher restarts a job that
/// could not write it (`restarted`): then it must say that it is of this run and step.
bool final_is_there(const std::filesystem::path& final_folder, const FinalOrigin& now, bool restarted);

}  // namespace mdl::worker::training::checkpoint

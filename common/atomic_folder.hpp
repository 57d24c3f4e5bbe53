#pragma once

#include <filesystem>
#include <functional>

namespace mdl {

/// Fills a folder so that it appears under its name only when it is complete: `fill` writes into a folder of its own
/// beside it (TARGET.unfinished-…), whose files are synced before it is renamed. An older folder TARGET is replaced: by
/// exchanging the two names in one step where the file system can do that (renameat2), so that a whole folder has the
/// name at every moment. What an earlier, killed run left is removed. Of two that write the same TARGET at once (a host
/// that was thought dead wakes) the later one wins and the other throws; their files never mix. When `fill` throws,
/// TARGET is as it was. Throws Error when the folder cannot be written, and what `fill` throws.
void write_folder_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path&)>& fill);

}  // namespace mdl

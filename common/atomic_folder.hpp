#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mdl {

/// Fills a folder so that it appears under its name only when it is complete: `fill` writes into a folder of its own
/// beside it (TARGET.unfinished-…), or inside it where it cannot be renamed (see find_folder_place), whose files are
/// synced before it is published. A TARGET that is a link is the folder that it leads to. An older folder TARGET is
/// replaced: by exchanging the two names in one step where the file system can do that (renameat2), so that a whole
/// folder has the name at every moment. What an earlier, killed run left is removed. Of two that write the same TARGET
/// at once (a host that was thought dead wakes) the later one wins and the other throws; their files never mix. When
/// `fill` throws, TARGET is as it was. Throws Error when the folder cannot be written, and what `fill` throws.
void write_folder_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path&)>& fill);

/// How the names of the folders begin, behind TARGET or inside it, that write_folder_atomically() fills; a killed
/// process leaves one until the next one writes there.
inline constexpr std::string_view kUnfinishedFolder = ".unfinished-";

/// What counts where publish_folder() has to move files one by one.
struct MoveOrder {
  std::string last;   ///< the file without which a folder is not taken for a whole one; removed first, moved last
  std::string never;  ///< a file that stays behind, and goes with `finished`
};

/// Gives the folder `finished`, beside or inside it and with its files synced, the name `target` (a path as
/// find_folder_place() gives it). An older folder of that name is replaced as write_folder_atomically() says. Where the
/// folder cannot be renamed (something is mounted there; an older one belongs to a lower layer of a container's
/// disk), its files are moved into `target` instead, each in the place of an older one, and what else was there is
/// removed then: a TARGET with order.last is whole at every moment, and one without may be half moved while there is a
/// `finished` in it. Throws Error or filesystem_error.
void publish_folder(const std::filesystem::path& finished, const std::filesystem::path& target,
                    const MoveOrder& order = {});

/// The end of the name that a folder has while remove_folder_atomically() removes it.
inline constexpr std::string_view kRemovedEnd = ".removed";

/// Removes a folder so that nobody ever finds a part of it under its name: it is renamed to TARGET.removed first, which
/// a killed run may leave. What such a run left of the same name is removed with it. Throws Error when that cannot be
/// done.
void remove_folder_atomically(const std::filesystem::path& target);

}  // namespace mdl

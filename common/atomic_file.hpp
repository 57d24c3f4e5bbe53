#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace mdl {

/// Writes `path` so that a reader sees either the old file or the whole new one, also after a crash or a power cut:
/// `fill(temporary)` writes a file next to the target, which is then synced and renamed over it; the folder is synced
/// too. A `path` that is a link is written where the link leads. When `fill` throws, the temporary file is removed and
/// the old file is untouched. Throws Error when the file cannot be written, naming it and the reason (a full disk, a
/// missing folder, a device or a pipe of that name, which stays).
void write_atomically(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& fill);

/// The same for a text that is already in memory.
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// Flushes a file or a folder to the disk. Throws Error.
void sync_to_disk(const std::filesystem::path& path);

/// The whole file as bytes. A pipe that the caller was given (/dev/stdin, a shell's `<(…)`) is read to its end, as are
/// a terminal and /dev/null. Throws Error naming the file when it cannot be read, also at once for a named pipe or a
/// device, which might never end.
std::string read_text(const std::filesystem::path& path);

/// What lies at the end of `path`'s links when it is there and no regular file: "a folder", "a named pipe", "a socket",
/// "a device". Otherwise empty, also where it cannot be told.
std::string describe_no_file(const std::filesystem::path& path);

}  // namespace mdl

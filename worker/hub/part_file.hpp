#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"
#include "worker/http/byte_ranges.hpp"
#include "worker/hub/model_cache.hpp"

namespace mdl::worker::hub {

/// A file on its way into the cache: STEM.OWNER.RANDOM.incomplete, and beside it a record of the bytes that are there
/// (the same name with ".ranges"). No two processes ever write to one: the name is this process's own, and the file of
/// another one is taken over, by renaming it, only when has_ended() says that it is gone and it is a file of this user:
/// neither a link nor a second name of anything, whoever may write to the folder. What the record says is no proof, as
/// a power cut may lose bytes that it names: the hash decides.
class PartFile {
 public:
  /// Takes over the one with most bytes that a process which has ended left for this place, or begins a new one;
  /// removes further ones of such processes. Throws Error.
  static PartFile open(const ModelCache::PartPlace& place, std::int64_t size);

  const std::filesystem::path& path() const { return path_; }
  /// What was there when it was opened.
  const http::ByteRanges& found() const { return found_; }

  /// Writes `bytes` at `offset`. May be called by several threads. Throws Error, with an advice where the disk is full.
  void write(std::int64_t offset, std::string_view bytes) const;
  /// Notes in the record that `range` is there. May be called by several threads.
  void note(http::ByteRange range) const;

  /// Forgets all bytes.
  void begin_anew();
  /// Flushes it to the disk. Throws Error.
  void sync() const;
  /// After the file itself was renamed to where it belongs.
  void remove_record() const;
  /// Removes both.
  void remove() const;

 private:
  PartFile(std::filesystem::path path, UniqueFd file, UniqueFd record, std::int64_t size);

  std::filesystem::path path_;
  UniqueFd file_, record_;
  http::ByteRanges found_;
};

/// Removes what processes of this user that have ended left of the files with these stems, which are whole now, and the
/// folder when nothing else is in it.
void remove_leftovers(const std::filesystem::path& folder, const std::set<std::string>& stems);

/// How many part files lie in a folder whose owners are elsewhere (another machine or container, or where there is no
/// /proc), so that nobody here knows whether they still grow, and how many bytes they have.
struct ForeignParts {
  std::size_t count = 0;
  std::int64_t bytes = 0;
};
ForeignParts foreign_parts(const std::filesystem::path& folder);

}  // namespace mdl::worker::hub

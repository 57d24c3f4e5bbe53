#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/hub/digest.hpp"

namespace mdl::worker::hub {

/// A file of a repository, as its hub lists it. Made by the hub's parser, which lets no path pass that check_listed()
/// refuses.
struct ListedFile {
  std::string path;       ///< relative, "/" between folders
  std::int64_t size = 0;  ///< bytes
  Digest digest;
  std::string revision{};  ///< the commit that wrote it, where a hub tells (ModelScope)
};

/// What a revision of a repository holds.
struct Listing {
  std::string commit;  ///< what the revision stands for: a commit hash (ModelScope: may be a branch or a tag)
  std::vector<ListedFile> files;

  const ListedFile* find(std::string_view path) const;
};

/// The most files that a repository may have; 1,000,000 bytes are the most that a listing's page may have times this
/// many pages: a stranger's server takes no more memory than that.
inline constexpr std::size_t kMaxFiles = 20'000;

/// Whether `path` may be written below a folder of the cache: relative, no empty part, no "." or "..", no backslash,
/// no control character, valid UTF-8 or ASCII only up to 255 bytes a part and 1024 in all.
bool is_safe_path(std::string_view path);

/// The most bytes that a file may have: 100 TB. Sums of sizes are no larger than an int64 then.
inline constexpr std::int64_t kMaxFileSize = 100'000'000'000'000;

/// Throws Error naming `repository` and the file when a path is not safe, is there twice, is also a folder, a size is
/// below 0 or above kMaxFileSize, there are more than kMaxFiles, or the commit is no word of letters, digits and "-_.".
void check_listed(const Listing& listing, const std::string& repository);

}  // namespace mdl::worker::hub

#pragma once

#include <string>
#include <vector>

#include "worker/hub/listing.hpp"

namespace mdl::worker::hub {

/// ModelScope lists no more entries of a repository than so many at once; further ones are missing without a word.
inline constexpr std::size_t kModelscopeListingLimit = 3000;

/// GET /api/v1/models/ORG/NAME/repo/files?Revision=…&Recursive=true: the files, with sha256 and size, and the commit
/// that wrote each (pure). Throws Error naming `repository` for what is no such answer, or may not be all of it; what
/// it lets pass is still to be seen by check_listed().
std::vector<ListedFile> parse_modelscope_files(const std::string& json, const std::string& repository);

/// The message that ModelScope gives with an error ("record not found"), with nothing in it but printable letters, at
/// most 200; empty where the text is no such answer.
std::string modelscope_message(const std::string& json);

}  // namespace mdl::worker::hub

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/hub/listing.hpp"

namespace mdl::worker::hub {

/// The parsers of what Hugging Face's API answers (pure). They throw Error naming `repository` for what is no such
/// answer; what they let pass is still to be seen by check_listed().

/// GET /api/models/ORG/NAME/revision/REVISION: the commit that the revision stands for ("sha").
std::string parse_commit(const std::string& json, const std::string& repository);

/// GET /api/models/ORG/NAME/tree/COMMIT?recursive=true: a page of its files. A file in LFS has the sha256 and the size
/// of what it stands for, another one git's hash.
std::vector<ListedFile> parse_tree_page(const std::string& json, const std::string& repository);

/// The address of the next page, of a Link header: `<https://…>; rel="next"`.
std::optional<std::string> next_page(const std::string& link_header);

}  // namespace mdl::worker::hub

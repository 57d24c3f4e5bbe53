#pragma once

#include <string>
#include <string_view>

namespace mdl::launcher::output {

/// Text of somebody else's for a terminal, on one line: colours, cursor moves and all other control characters, which
/// would disturb what stands around it, and bytes that are not UTF-8 are left out; a new line becomes a space.
/// At most `most` bytes.
std::string printable(std::string_view text, std::size_t most = std::string_view::npos);

}  // namespace mdl::launcher::output

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mdl {

/// Base64 with padding and without line breaks (RFC 4648, section 4).
std::string base64_encode(std::string_view bytes);

/// nullopt when `text` is not that.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace mdl

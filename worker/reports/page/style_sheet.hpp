#pragma once

#include <cstddef>
#include <string_view>

namespace mdl::worker::reports::page {

/// How many colours lines have; further ones have the same again, dashed.
inline constexpr std::size_t kColours = 8;

/// The page's style sheet: light, dark where the reader's system is, and for paper.
std::string_view style_sheet();

/// Its SHA-256 in base64, by which the page's Content-Security-Policy allows it and no other.
std::string_view style_hash();

}  // namespace mdl::worker::reports::page

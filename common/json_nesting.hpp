#pragma once

#include <cstddef>
#include <string_view>

namespace mdl {

/// How deep a text nests arrays and objects, taken as JSON: 0 for "1", 1 for "[1]". Brackets within strings do not
/// count. Needs no memory, whatever the text.
///
/// A JSON library reads millions of levels, but copies, prints and compares its values by recursion, so that such a
/// text overflows the stack. Ask before parsing what comes from elsewhere.
std::size_t json_nesting(std::string_view text);

/// More than any document that this project reads has.
inline constexpr std::size_t kMaxJsonNesting = 64;

}  // namespace mdl

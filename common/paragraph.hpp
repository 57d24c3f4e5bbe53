#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mdl {

/// How wide a text on stdout may be: the terminal's width, at least 40 and at most 120; 80 where stdout is no terminal.
std::size_t output_width();

/// `text` in lines of at most `width` letters, each but the first with `indent` blanks before it. Lines are broken at
/// blanks only, so a longer word stays whole; line ends in `text` stay, and a line that begins with a blank is left as
/// it is. Ends without a line end, unless `text` has one there.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

}  // namespace mdl

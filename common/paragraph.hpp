#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mdl {

/// How wide a text on stdout may be: the terminal's width, at least 40 and at most 120; 80 where stdout is no terminal.
std::size_t output_width();

/// `text` in lines of at most `width` letters, each but the first with `indent` blanks before it. Lines are broken at
/// blanks only, so a longer word stays whole; line ends in `text` stay, and a line that begins with a blank is left as
/// it is. Ends without a line end, unless `text` has one there.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

/// A row of a help text: an option or a command, and what it does.
struct HelpRow {
  std::string name;
  std::string text;
};

/// Where the texts of the rows begin, so that the names stand before them; a name that is too long for that does not
/// count.
std::size_t text_column(std::span<const HelpRow> rows);

/// The rows, a line or more each, in two columns: the names behind two blanks, the texts from `column` to `width`. The
/// text of a longer name stands below it.
std::string help_rows(std::span<const HelpRow> rows, std::size_t column, std::size_t width);

}  // namespace mdl

#pragma once

#include <string>
#include <string_view>

namespace mdl::worker::reports::page {

/// `text` for HTML and SVG, between tags and in quoted attributes: & < > " ' are written as references; what is no
/// UTF-8 and control characters other than line ends and tabs, as the replacement character; marks that turn the
/// direction of writing likewise, as a name could look like another one with them.
std::string escaped(std::string_view text);

}  // namespace mdl::worker::reports::page

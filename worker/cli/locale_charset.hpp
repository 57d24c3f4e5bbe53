#pragma once

namespace mdl::worker::cli {

/// Whether the user's locale is in UTF-8, so that a terminal shows block characters. The program's own stays as it is.
bool locale_is_utf8();

}  // namespace mdl::worker::cli

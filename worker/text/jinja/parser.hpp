#pragma once

#include <string_view>

#include "worker/text/jinja/syntax.hpp"

namespace mdl::worker::text::jinja {

/// The syntax tree of a template. Throws Error with the line for a syntax error and for a statement that is not
/// supported (include, import, extends, call, filter, with, raw).
Body parse(std::string_view source);

}  // namespace mdl::worker::text::jinja

#pragma once

#include <map>
#include <string>
#include <string_view>

namespace mdl::launcher::command_line {

/// Python's string.Template.safe_substitute: replaces $name and ${name} by `values`, "$$" by "$", and leaves every
/// other '$' as it is. torchrun treats workers' arguments and log prefixes so.
std::string substitute_template(std::string_view text, const std::map<std::string, std::string, std::less<>>& values);

}  // namespace mdl::launcher::command_line

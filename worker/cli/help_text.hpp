#pragma once

#include <span>
#include <string>

#include "worker/cli/command_line.hpp"

namespace mdl::worker::cli {

/// The text of `mdl-toolkit COMMAND --help`: `usage` (what follows "mdl-toolkit"), what the command is `about`, and its
/// options. As wide as stdout allows.
std::string command_help(const std::string& usage, const std::string& about, std::span<const OptionText> options);

}  // namespace mdl::worker::cli

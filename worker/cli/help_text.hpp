#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "worker/cli/command_line.hpp"

namespace mdl::worker::cli {

/// A line of a help text: a command or an option, and what it does.
struct HelpRow {
  std::string name;
  std::string text;
};

/// Rows in two columns, within `width`.
std::string help_rows(std::span<const HelpRow> rows, std::size_t width);

/// The text of `mdl-toolkit COMMAND --help`: `usage` (what follows "mdl-toolkit"), what the command is `about`, and its
/// options. As wide as stdout allows.
std::string command_help(const std::string& usage, const std::string& about, std::span<const OptionText> options);

}  // namespace mdl::worker::cli

#pragma once

#include <span>
#include <string>

#include "worker/cli/option_text.hpp"

namespace mdl::worker::cli {

/// What `mdl-toolkit COMMAND --help` says beside the options.
struct HelpPage {
  std::string usage;                       ///< what follows "mdl-toolkit"
  std::string about;                       ///< what the command does
  std::span<const char* const> example{};  ///< lines to type, the first begins with "mdl-toolkit"
};

/// The text of --help: usage, what the command is about, its options in their sections, other spellings, an example. As
/// wide as stdout allows.
std::string command_help(const HelpPage& page, std::span<const OptionText> options);

}  // namespace mdl::worker::cli

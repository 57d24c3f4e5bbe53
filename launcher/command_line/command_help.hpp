#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "launcher/command_line/commands.hpp"
#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::command_line {

/// What there is to know about a command, for its --help, its manual page and the completion of command lines.
struct CommandHelp {
  std::string name;         ///< "doctor"; empty for mdl-launch without a command
  std::string usage;        ///< "Usage: mdl-launch doctor …" and its further lines, each with a line end
  std::string description;  ///< paragraphs, an empty line between two
  const OptionTable* options;
  const OptionTable* all_options = nullptr;  ///< with those of a launch, which another --help shows; null: `options`
  std::string ending{};                      ///< a paragraph a line: what stands behind the options
  std::vector<Command> commands{};           ///< that stand in the place of a program
  std::vector<std::string> words{};          ///< that may stand behind the options, as "default" in `config default`
  bool starts_program = false;               ///< what follows the options is a program and its arguments
};

/// The text of --help, in lines of at most `width` letters.
std::string help_text(const CommandHelp& help, std::size_t width);

}  // namespace mdl::launcher::command_line

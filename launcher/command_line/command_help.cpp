#include "launcher/command_line/command_help.hpp"

#include "common/paragraph.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::command_line {
namespace {

constexpr std::size_t kCommandColumn = 11;

std::string rows_of(const std::vector<Command>& commands, std::size_t width) {
  std::string text =
      wrapped("Commands (--help after one shows its options; a program of such a name is started as ./NAME):\n", width);
  for (const Command& command : commands) {
    std::string name = "  " + command.name;
    name.resize(kCommandColumn, ' ');
    text += str_cat(name, wrapped(command.help, width, name.size()), "\n");
  }
  return text + "\n";
}

}  // namespace

std::string help_text(const CommandHelp& help, std::size_t width) {
  return str_cat(help.usage, "\n", wrapped(help.description, width), "\n\n",
                 help.commands.empty() ? std::string() : rows_of(help.commands, width), help.options->help(width),
                 help.ending.empty() ? std::string() : str_cat("\n", wrapped(help.ending, width), "\n"));
}

}  // namespace mdl::launcher::command_line

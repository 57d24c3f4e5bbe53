#pragma once

#include <string>
#include <vector>

namespace mdl::launcher::command_line {

/// A command of mdl-launch besides the launch of a program: the first word of a command line.
struct Command {
  std::string name;
  std::string help;
};

const std::vector<Command>& commands();

/// "Did you mean launch? " where a program's name is almost that of a command; else nothing.
std::string command_suggestion(const std::string& program);

}  // namespace mdl::launcher::command_line

#include "launcher/command_line/commands.hpp"

#include "common/nearest_name.hpp"

namespace mdl::launcher::command_line {

const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      {"launch", "start PROGRAM from accelerate's YAML configuration"},
      {"config", "write that configuration, asking questions"},
      {"env", "print what a bug report needs"},
      {"doctor", "check this machine, the network and a job's options before a launch"},
      {"status", "show who is in a running job, and how it gets on"},
  };
  return all;
}

std::string command_suggestion(const std::string& program) {
  std::vector<std::string> names;
  for (const Command& command : commands()) { names.push_back(command.name); }
  return did_you_mean(program, names);
}

}  // namespace mdl::launcher::command_line

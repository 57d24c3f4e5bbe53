#include "launcher/all_commands.hpp"

#include "launcher/accelerate/config_command.hpp"
#include "launcher/accelerate/doctor_command.hpp"
#include "launcher/accelerate/env_command.hpp"
#include "launcher/accelerate/launch_options.hpp"
#include "launcher/command_line/options.hpp"
#include "launcher/status/status_command.hpp"

namespace mdl::launcher {

const std::vector<command_line::CommandHelp>& all_commands() {
  static const std::vector<command_line::CommandHelp> all{
      command_line::launcher_help(), accelerate::launch_help(), accelerate::config_help(),
      accelerate::env_help(),        accelerate::doctor_help(), status::status_help(),
  };
  return all;
}

}  // namespace mdl::launcher

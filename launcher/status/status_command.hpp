#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/command_help.hpp"
#include "launcher/command_line/options.hpp"

namespace mdl::launcher::status {

/// Whether the command line begins with the word "status". (A program of that name is started as ./status.)
bool is_status_command(const std::vector<std::string>& args);

/// `mdl-launch status [--rdzv-endpoint HOST[:PORT] | --master-addr HOST --master-port PORT] [--rdzv-id ID] [--json]
/// [--timeout SECONDS]`, also with torchrun's PET_ variables: prints who is in the job there. Without an id, the one
/// job that is there; without a place, the one of this user's on this machine, or a list of several. Returns 0. Throws
/// UsageError for a wrong command line, StoreConnectionError when nobody answers at the endpoint, and Error, which
/// names the jobs that are there, when this one is not.
int run_status_command(const std::vector<std::string>& args, const command_line::Environment& environment);

/// `mdl-launch status`, as its --help tells it.
const command_line::CommandHelp& status_help();

}  // namespace mdl::launcher::status

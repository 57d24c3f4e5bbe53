#pragma once

#include <string>

#include "worker/cli/given_options.hpp"
#include "worker/cli/option_text.hpp"

namespace mdl::worker::cli {

/// The options as a configuration file in YAML, which add_config_file() reads as the same: a line for each option of
/// the command, in the order and with the sections of its help. What was not given is a remark with its default. Paths
/// are absolute, so that the file means the same from another folder.
std::string printed_config(const CommandSyntax& syntax, const GivenOptions& given);

}  // namespace mdl::worker::cli

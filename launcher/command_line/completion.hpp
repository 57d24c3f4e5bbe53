#pragma once

#include <boost/program_options/options_description.hpp>
#include <string>

namespace mdl::launcher::command_line {

/// A script that teaches `shell` (bash, zsh or tcsh) to complete mdl-launch's options, and file names after them.
std::string completion_script(const std::string& shell, const boost::program_options::options_description& options);

}  // namespace mdl::launcher::command_line

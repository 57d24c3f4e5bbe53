#pragma once

#include <filesystem>
#include <string>

#include "worker/cli/given_options.hpp"
#include "worker/cli/option_text.hpp"

namespace mdl::worker::cli {

/// Adds what a configuration file says to the options that the command line has not: `key: value` lines (YAML, or an
/// object in JSON) whose keys are options. A value is taken as it is written; an absent one (null) is as if the line
/// were not there. A list is for options that take several values, a section for those that take an object.
/// Throws UsageError with file and line: an unknown key (and the nearest known one), a key that stands there twice, a
/// value of another shape; what parse_yaml() throws; a file that cannot be read.
void add_config_file(const std::filesystem::path& file, const CommandSyntax& syntax, GivenOptions& given);

/// The same for `text`, the content of `file`.
void add_config_text(const std::string& text, const std::filesystem::path& file, const CommandSyntax& syntax,
                     GivenOptions& given);

}  // namespace mdl::worker::cli

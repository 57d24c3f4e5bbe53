#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/cli/given_options.hpp"
#include "worker/cli/option_text.hpp"

namespace mdl::worker::cli {

/// Whether --help or -h is among the arguments: then nothing else counts.
bool asks_for_help(const std::vector<std::string>& arguments);

/// Parses `mdl-toolkit COMMAND arguments…`, and the file that --config names; of an option that both have the command
/// line's values hold. Every option takes a text, any number of times; '_' and '-' in its name are the same. Throws
/// UsageError: an unknown option (with the advice of the syntax's other ways, or the nearest known name), an option
/// without its value, another value than true or false where nothing else is taken, what read_config_file() throws.
GivenOptions parse_command_line(const CommandSyntax& syntax, const std::vector<std::string>& arguments);

/// Throws UsageError for an option that is not known, `typed` as it was written.
[[noreturn]] void refuse_option(const CommandSyntax& syntax, const std::string& typed, const std::string& place,
                                const std::vector<std::string>& arguments);

/// The one argument that stands alone. `what` it is: "CSV file"; `hint`: a sentence about it. Throws UsageError when
/// there is none (unless only the options are to be printed: empty then) or more than one.
std::string standing_argument(const GivenOptions& given, const std::string& command, const std::string& what,
                              const std::string& hint = {});

/// The arguments that stand alone where one or two are taken: `least` of them at least, `what` they are: "MODEL and
/// ADAPTER". Throws UsageError.
std::vector<std::string> standing_arguments(const GivenOptions& given, const std::string& command,
                                            const std::string& what, std::size_t least, std::size_t most);

/// Throws UsageError when an argument stands alone, for a command that takes options only.
void refuse_standing_arguments(const GivenOptions& given, const std::string& command);

}  // namespace mdl::worker::cli

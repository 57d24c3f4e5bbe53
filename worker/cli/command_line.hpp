#pragma once

#include <boost/program_options/variables_map.hpp>
#include <span>
#include <string>
#include <vector>

namespace mdl::worker::cli {

inline constexpr const char* kTrueOrFalse = "true or false";

/// An option of a subcommand, --name VALUE. The help ends with the default in parentheses.
struct OptionText {
  const char* name;
  const char* help;
  const char* takes = "a value";  ///< kTrueOrFalse: nothing else, which is checked before all other values
};

/// An option that a subcommand has not, though it is easily taken for one of its own.
struct OtherWay {
  const char* name;
  const char* advice;  ///< what to write instead; "VALUE" in it stands for the value that was given
};

/// Whether --help or -h is among the arguments: then nothing else counts.
bool asks_for_help(const std::vector<std::string>& arguments);

/// Parses `mdl-toolkit COMMAND arguments…`. Every option takes a text, any number of times; OptionValues makes sense of
/// it. "help" is there too, and takes none. What stands alone is kept under "standing". Throws UsageError: an unknown
/// option (with the advice of `other_ways`, or the nearest known name), an option without its value, another value than
/// true or false where nothing else is taken.
boost::program_options::variables_map parse_command_line(const std::string& command,
                                                         std::span<const OptionText> options,
                                                         const std::vector<std::string>& arguments,
                                                         std::span<const OtherWay> other_ways = {});

/// The one argument that stands alone. `what` it is: "CSV file"; `hint`: a sentence about it. Throws UsageError when
/// there is none or more than one.
std::string standing_argument(const boost::program_options::variables_map& given, const std::string& command,
                              const std::string& what, const std::string& hint = {});

/// Throws UsageError when an argument stands alone, for a command that takes options only.
void refuse_standing_arguments(const boost::program_options::variables_map& given, const std::string& command);

}  // namespace mdl::worker::cli

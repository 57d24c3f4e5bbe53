#pragma once

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "launcher/command_line/log_plan.hpp"
#include "launcher/command_line/options.hpp"

namespace mdl::launcher::command_line {

/// The value of an option as it was written, and where: what is wrong with it is told in the words that the user used.
struct OptionValue {
  std::string source;  ///< "--max-restarts", or "the environment variable PET_MAX_RESTARTS"
  std::string text;
  std::string command = "mdl-launch";  ///< whose --help tells more
};

/// Each of these reads a value as torchrun does (numbers: see parse_whole_number), and throws UsageError with the
/// source, what was expected and the text, when it is something else.
int to_int(const OptionValue& value, int least, int most = std::numeric_limits<int>::max());
/// A time, 0 or more.
double to_seconds(const OptionValue& value);
/// A time above 0.
double to_positive_seconds(const OptionValue& value);
/// "N" or "MIN:MAX"
NodeRange to_node_range(const OptionValue& value);
/// 0 too, which torchrun takes where it does not look at the port, as with --standalone.
int to_port_number(const OptionValue& value);
/// "PORT", which is one of this machine alone (localhost), or "HOST:PORT". Port 0 stands for any free one.
Endpoint to_served_endpoint(const OptionValue& value);
/// "3" or "0:1,1:2"
StreamChoice to_stream_choice(const OptionValue& value);
/// "0,2"
std::set<int> to_ranks(const OptionValue& value);
/// The variable of a flag: a number, 0 is off.
bool to_flag(const OptionValue& value);

/// Throws UsageError with the nearest of `choices`, and all of them, for a value that is none.
void check_choice(const OptionValue& value, const std::vector<std::string>& choices);

}  // namespace mdl::launcher::command_line

#pragma once

#include <map>
#include <string>
#include <vector>

namespace mdl::launcher::command_line {

/// The settings of --rdzv-conf by key, also those that nobody here knows.
using RdzvConf = std::map<std::string, std::string>;

/// Reads "KEY=VALUE,…" as torchrun does: white space around keys and values does not count, only the first = divides,
/// and the last of a key that is given twice counts. One pair of quotes around it all is taken off, as scripts that
/// call torchrun without a shell leave them on. Throws UsageError for what is not KEY=VALUE, and for a key that is
/// almost a known one: torchrun would drop it without a word.
RdzvConf parse_rdzv_conf(const std::string& text);

/// One line for each key that is nowhere near a known one and has no effect.
std::vector<std::string> warnings_of(const RdzvConf& conf);

}  // namespace mdl::launcher::command_line

#pragma once

#include <boost/program_options/options_description.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mdl::launcher::command_line {

/// Every option of mdl-launch in the groups that --help shows. The long names are spelled with '-'.
boost::program_options::options_description describe_options();

/// One option of describe_options().
struct OptionEntry {
  std::string name;  ///< without dashes
  std::string help;
  bool flag = false;  ///< it takes no value
};
std::vector<OptionEntry> option_entries(const boost::program_options::options_description& description);

/// The known name nearest to `name` by edit distance, if one is near enough to be what was meant.
std::optional<std::string> nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace mdl::launcher::command_line

#pragma once

#include <boost/program_options/options_description.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mdl::launcher {

/// Every option of mdl-launch in the groups that --help shows. The long names are spelled with '-'.
boost::program_options::options_description describe_options();

/// Whether the option takes no value.
bool is_flag(const boost::program_options::option_description& option);

/// Names of torchrun's options that this version does not have yet, with the number of words of their value.
struct FutureOption {
  const char* name;
  const char* short_name;
  bool flag;
};
const std::vector<FutureOption>& future_options();

/// The known name nearest to `name` by edit distance, if one is near enough to be what was meant.
std::optional<std::string> nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace mdl::launcher

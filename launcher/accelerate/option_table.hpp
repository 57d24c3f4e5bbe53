#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::accelerate {

/// One option of `accelerate launch` or torchrun's.
struct OptionSpec {
  enum class Use {
    taken,      ///< has its meaning here
    passed_on,  ///< torchrun's, goes to the launcher unchanged
    reworded,   ///< torchrun's; accelerate has another word for it, which `remark` names
    engine,     ///< needs a Python engine, which `remark` names
  };
  std::string name;  ///< with underscores, without dashes: "num_processes"; short ones as they are: "m"
  bool has_value;
  Use use;
  std::string remark;
};

/// Finds the option that `word` spells: with - or _, with or without =VALUE. Null when there is none. `word` starts
/// with a dash.
const OptionSpec* find_option(std::string_view word);

/// All names with a meaning here, for suggestions.
std::vector<std::string> option_names();

}  // namespace mdl::launcher::accelerate

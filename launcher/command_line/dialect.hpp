#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::command_line {

/// Whose command line is written, which the name decides by which mdl-launch was started.
enum class Dialect {
  own,         ///< torchrun's options, and the commands
  torchrun,    ///< "torchrun": the first word behind the options is always a program, also one named status
  accelerate,  ///< "accelerate": the first word is a command
};

/// `program` is argv[0]: a name or a path.
Dialect dialect_of(std::string_view program);

/// What `accelerate WORDS` is as a command line of mdl-launch. Throws UsageError for a first word that is no command of
/// mdl-launch's; one that only Python's accelerate has is told so.
std::vector<std::string> from_accelerate(const std::vector<std::string>& words);

}  // namespace mdl::launcher::command_line

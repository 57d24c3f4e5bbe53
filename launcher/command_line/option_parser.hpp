#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::command_line {

/// An option of a command line with its value.
struct GivenOption {
  const Option* option;
  std::string value;  ///< empty for one that takes none
  std::size_t begin;  ///< its words are [begin, end) of the arguments
  std::size_t end;
};

/// A command line's options, and what follows them.
struct ParsedArguments {
  std::vector<GivenOption> options;
  std::size_t program_begin = 0;     ///< the index behind the options, and behind a "--" that ends them
  std::vector<std::string> program;  ///< and its arguments, without the one "--" that argparse removes

  /// The last one of that name counts; null where none is given.
  const GivenOption* find(std::string_view name) const;
};

enum class UnknownOption { refuse, skip };

/// How every command of mdl-launch reads its arguments, which is how argparse does: `--name VALUE`, `--name=VALUE`,
/// `-n VALUE` or `-nVALUE`; options end at "--" or at the first word that is none, and what follows is the program with
/// its own arguments. Throws UsageError for an unknown option (with the nearest one; or skips it), a value that is
/// missing, and one that is too many.
ParsedArguments parse_arguments(const std::vector<std::string>& arguments, const OptionTable& table,
                                UnknownOption unknown = UnknownOption::refuse);

/// The same for a command that starts no program: a word that belongs to no option is wrong; it may have been meant to
/// be one of `words`.
ParsedArguments parse_options_only(const std::vector<std::string>& arguments, const OptionTable& table,
                                   const std::vector<std::string>& words = {});

}  // namespace mdl::launcher::command_line

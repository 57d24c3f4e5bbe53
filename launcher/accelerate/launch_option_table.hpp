#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "launcher/accelerate/launch_options.hpp"
#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::accelerate {

// What becomes of an option's value: the field of LaunchOptions that it goes to, and what it may be. The field's own
// initial value is the default.

struct FlagField {
  bool LaunchOptions::* field;
};
struct TextField {
  std::variant<std::string LaunchOptions::*, std::optional<std::string> LaunchOptions::*> field;
  std::vector<std::string> choices{};  ///< empty: any text
};
struct NumberField {
  std::variant<int LaunchOptions::*, std::optional<int> LaunchOptions::*> field;
  int least;
  int most = std::numeric_limits<int>::max();
};
/// machine_rank: a number, or `auto`
struct RankField {};
/// An entry of LaunchOptions::dynamo, by the name of the file's key. A flag's is "True".
struct DynamoField {
  std::vector<std::string> choices{};
};
/// torchrun's, goes to the launcher unchanged
struct PassedOn {};
/// torchrun's; accelerate has another word for it
struct Reworded {
  std::string instead;
};
/// accelerate's, and needs an engine of Python's
struct NeedsEngine {
  std::string engine;
};
using OptionUse =
    std::variant<FlagField, TextField, NumberField, RankField, DynamoField, PassedOn, Reworded, NeedsEngine>;

/// One thing that accelerate can be told: by an option of `accelerate launch`, and mostly also by a key of its file.
struct LaunchOption {
  command_line::Option option;
  OptionUse use;
  std::string key;  ///< of the file, "dynamo_config.dynamo_mode" in its section; empty: the file does not have it
};

struct LaunchOptionGroup {
  std::string title;
  std::vector<LaunchOption> options;
};

/// All options of `accelerate launch` 1.15.0 (commands/launch.py), those of torchrun (2.15.0) that go together with
/// them, and the words of torchrun that accelerate has others for.
const std::vector<LaunchOptionGroup>& launch_options();

/// The same for the parser.
const command_line::OptionTable& launch_option_table();

/// torchrun's options, then these: a plain `mdl-launch` may have either, until one tells which are meant. Only
/// torchrun's may be abbreviated.
std::vector<command_line::OptionGroup> options_of_both_launchers();

/// The row of an option of launch_option_table().
const LaunchOption& row_of(const command_line::Option& option);

/// The row of a key of the file, for the range or the choices of its value; null where no option has it.
const LaunchOption* row_of_key(std::string_view key);

/// The keys of all rows: those at the file's top level (`section` is empty), or those of a section.
std::vector<std::string> keys_in(std::string_view section);

}  // namespace mdl::launcher::accelerate

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mdl::worker::cli {

/// What an option takes. Words for "--output needs a path".
inline constexpr const char* kOneValue = "a value";
inline constexpr const char* kTrueOrFalse = "true or false";  ///< checked before all other values
inline constexpr const char* kPath = "a path";
inline constexpr const char* kPathOrName = "a path or a name";   ///< a path where there is such a folder
inline constexpr const char* kList = "one or more values";       ///< repeated, with commas, or a JSON list
inline constexpr const char* kPaths = "one or more paths";       ///< repeated
inline constexpr const char* kJsonObject = "an object in JSON";  ///< in a configuration file a section

/// Whether an option that takes `takes` may be a list in a configuration file.
inline bool takes_list(std::string_view takes) {
  return takes == kList || takes == kPaths;
}

/// An option of a subcommand, --name VALUE.
struct OptionText {
  const char* name;
  const char* help;                ///< what it does; may end with the default in parentheses, which --help adds else
  const char* fallback = nullptr;  ///< its default as it would be typed; null: nothing that could be typed
  const char* takes = kOneValue;
  const char* also = nullptr;     ///< other spellings that are taken for it, with commas between them
  const char* section = nullptr;  ///< of --help: the title of the section that begins with this option
};

/// An option that a subcommand has not, though it is easily taken for one of its own.
struct OtherWay {
  const char* name;
  const char* advice;  ///< what to write instead; "VALUE" in it stands for the value that was given
};

/// What a subcommand takes. --help, --config FILE and --print-config are every command's, and not listed.
struct CommandSyntax {
  const char* name;  ///< "train"
  std::span<const OptionText> options;
  std::span<const OtherWay> other_ways = {};
  const char* standing = nullptr;  ///< keys, with commas, that a configuration file has for what stands alone: "input"
};

}  // namespace mdl::worker::cli

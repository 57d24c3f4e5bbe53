#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/cli/given_options.hpp"
#include "worker/cli/step_interval.hpp"

namespace mdl::worker::cli {

/// Throws RejectedValue: "--option value: expected …".
[[noreturn]] void reject_value(const std::string& option, const std::string& value, const std::string& expected);

/// The same for an option that takes one of `choices`: "expected a, b or c", and the one that was probably meant.
[[noreturn]] void reject_choice(const std::string& option, const std::string& value,
                                const std::vector<std::string>& choices);

/// The same for an option that takes true or false only, which may have been forgotten: `value` is what follows then.
[[noreturn]] void reject_boolean(const std::string& option, const std::string& value);

/// true/false, 1/0, yes/no, on/off, t/f, y/n in any case; nothing for another text.
std::optional<bool> read_boolean(const std::string& text);

/// The values of a parsed command line, read with their types as pydantic reads them for the Python tool: numbers as
/// Python does (see parse_whole_number()). Every option was declared as a list of texts; of a single-valued option the
/// last one counts. A value that cannot be read is a RejectedValue naming option and value. The readers that take a
/// target leave it alone when the option was not given.
class OptionValues {
 public:
  /// `command`: the subcommand whose help a message points to.
  explicit OptionValues(const GivenOptions& given, std::string command = "train")
      : given_(given), command_(std::move(command)) {}

  /// See GivenOptions.
  bool prints_config() const { return given_.prints_config(); }

  std::optional<std::string> text(const std::string& name) const;

  /// The same, but an empty text is none.
  std::optional<std::string> text_or_none(const std::string& name) const;

  /// One of `choices`, as it is written there.
  std::optional<std::string> choice(const std::string& name, const std::vector<std::string>& choices) const;

  /// Repeated options, values separated by commas, and JSON lists, joined.
  std::optional<std::vector<std::string>> list(const std::string& name) const;

  /// What was given for the option, each time as it is. Empty where it was not given.
  std::vector<std::string> each(const std::string& name) const;

  /// Throws when the option is missing (unless only the options are to be printed: empty then) or empty.
  std::filesystem::path required_path(const std::string& name) const;

  /// A whole number from `least`.
  void integer(const std::string& name, int64_t least, auto& target) const {
    if (const auto number = read_integer(name, least)) { target = *number; }
  }

  /// A finite number above `above`.
  void number(const std::string& name, double above, double& target) const;

  /// A finite number from `least`.
  void number_from(const std::string& name, double least, double& target) const;

  /// A size above 0: plain bytes, or with KB, MB or GB (powers of 1000), KiB, MiB or GiB (of 1024) behind the number.
  void bytes(const std::string& name, std::int64_t& target) const;

  void interval(const std::string& name, bool may_be_zero, StepInterval& target) const;

  /// See read_boolean().
  std::optional<bool> boolean(const std::string& name) const;

  /// The same; "auto" is as if the option were not given.
  std::optional<bool> boolean_or_auto(const std::string& name) const;

 private:
  std::optional<int64_t> read_integer(const std::string& name, int64_t least) const;

  const GivenOptions& given_;
  std::string command_;
};

}  // namespace mdl::worker::cli

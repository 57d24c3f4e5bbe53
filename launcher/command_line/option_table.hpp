#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::command_line {

/// One option of a command, a row of its --help.
struct Option {
  std::string name;      ///< without dashes before it, '-' between its words; one that ends with '-' is a whole family
  std::string value;     ///< what --help calls its value; empty: it takes none
  std::string help;      ///< what it does
  char letter = 0;       ///< its short name, if it has one
  bool in_full = false;  ///< only the whole name stands for it, not a unique beginning
  bool hidden = false;   ///< known, to say what is wrong with it: neither shown nor suggested

  std::vector<std::string> choices{};  ///< what its value may be, where `value` does not say so

  bool takes_value() const { return !value.empty(); }

  /// The words that its value may be: those between bars in `value` ("gpu" of "N|gpu"), else `choices`. Not all of what
  /// is right, as a number is no word.
  std::vector<std::string> known_values() const;
};

struct OptionGroup {
  std::string title;
  std::vector<Option> options;
};

/// The options of a command. Both spellings of a name, with '-' and with '_', are the same.
class OptionTable {
 public:
  /// `command` as a user writes it: "mdl-launch config". `others` are tables of other commands: an option that is far
  /// from all of this one's may be near one of theirs.
  using Other = const OptionTable& (*)();
  OptionTable(std::string command, std::vector<OptionGroup> groups, std::vector<Other> others = {});

  const std::string& command() const { return command_; }
  const std::vector<OptionGroup>& groups() const { return groups_; }

  /// The option of that name; null where there is none.
  const Option* find(std::string_view name) const;

  /// The option that `word` spells: "--name", "--name=value", "-n" or "-nvalue"; also a unique beginning of a name, as
  /// argparse takes it. Null where there is none. Throws UsageError where several begin so.
  const Option* recognise(std::string_view word) const;

  /// Throws UsageError for a word that no option of the table spells, with the nearest.
  [[noreturn]] void refuse(std::string_view word) const;

  /// The rows that --help shows, by group, in lines of at most `width` letters.
  std::string help(std::size_t width) const;

  /// The names of all options that are not hidden.
  std::vector<std::string> names() const;

 private:
  std::string command_;
  std::vector<OptionGroup> groups_;
  std::vector<Other> others_;
};

/// "Did you mean …?" for `word` where it is none of `choices`, then what it may be: an error's advice.
std::string advice_for(std::string_view word, const std::vector<std::string>& choices);

}  // namespace mdl::launcher::command_line

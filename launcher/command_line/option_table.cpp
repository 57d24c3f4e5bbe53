#include "launcher/command_line/option_table.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/nearest_name.hpp"
#include "common/paragraph.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::command_line {
namespace {

/// "num-processes" of "--num_processes=4".
std::string name_in(std::string_view word) {
  std::string name(word.substr(std::min(word.find_first_not_of('-'), word.size())));
  name.resize(std::min(name.find('='), name.size()));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string names_of(const Option& option) {
  std::string names = option.letter ? str_cat("-", option.letter, ", --", option.name) : str_cat("--", option.name);
  if (option.takes_value()) { names += " " + option.value; }
  return names;
}

std::vector<HelpRow> rows_of(const OptionGroup& group) {
  std::vector<HelpRow> rows;
  for (const Option& option : group.options) {
    if (!option.hidden) { rows.push_back({names_of(option), option.help}); }
  }
  return rows;
}

}  // namespace

std::vector<std::string> Option::known_values() const {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find('|', begin), value.size());
    const std::string word = value.substr(begin, end - begin);
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos && word[0] >= 'a') {
      words.push_back(word);
    }
    begin = end + 1;
  }
  return words.empty() ? choices : words;
}

OptionTable::OptionTable(std::string command, std::vector<OptionGroup> groups, std::vector<Other> others)
    : command_(std::move(command)), groups_(std::move(groups)), others_(std::move(others)) {}

const Option* OptionTable::find(std::string_view name) const {
  const std::string wanted = name_in(name);
  const Option* family = nullptr;
  for (const OptionGroup& group : groups_) {
    for (const Option& option : group.options) {
      if (option.name == wanted) { return &option; }
      if (option.name.ends_with('-') && wanted.starts_with(option.name)) { family = &option; }
    }
  }
  return family;
}

const Option* OptionTable::recognise(std::string_view word) const {
  if (!word.starts_with("--")) {
    for (const OptionGroup& group : groups_) {
      for (const Option& option : group.options) {
        if (word.size() > 1 && option.letter == word[1]) { return &option; }
      }
    }
    return nullptr;
  }
  if (const Option* option = find(word)) { return option; }
  const std::string beginning = name_in(word);
  const Option* match = nullptr;
  std::vector<std::string> matches;
  for (const OptionGroup& group : groups_) {
    for (const Option& option : group.options) {
      if (beginning.empty() || option.in_full || !option.name.starts_with(beginning)) { continue; }
      match = &option;
      matches.push_back(option.name);
    }
  }
  if (matches.size() > 1) {
    throw UsageError(str_cat("option --", beginning, " is ambiguous"),
                     str_cat("It may be ", joined(matches, ", ", "--"), "."));
  }
  return match;
}

void OptionTable::refuse(std::string_view word) const {
  const std::string_view typed = word.substr(0, word.find('='));
  const std::string name = name_in(word);
  const bool is_long = word.starts_with("--");
  std::string advice = is_long ? did_you_mean(name, names(), "--") : std::string();
  for (const Other other : others_) {
    const auto nearest = is_long && advice.empty() ? nearest_name(name, other().names()) : std::nullopt;
    if (nearest) { advice = str_cat("Did you mean --", *nearest, ", an option of ", other().command(), "? "); }
  }
  throw UsageError(str_cat("unknown option ", is_long ? typed : word.substr(0, 2)),
                   str_cat(advice, command_, " --help lists the options."));
}

std::string OptionTable::help(std::size_t width) const {
  std::size_t column = 0;
  for (const OptionGroup& group : groups_) { column = std::max(column, text_column(rows_of(group))); }
  std::string text;
  for (const OptionGroup& group : groups_) {
    const std::string rows = help_rows(rows_of(group), column, width);
    if (!rows.empty()) { text += str_cat(text.empty() ? "" : "\n", group.title, ":\n", rows); }
  }
  return text;
}

std::vector<std::string> OptionTable::names() const {
  std::vector<std::string> names;
  for (const OptionGroup& group : groups_) {
    for (const Option& option : group.options) {
      if (!option.hidden) { names.push_back(option.name); }
    }
  }
  return names;
}

std::string advice_for(std::string_view word, const std::vector<std::string>& choices) {
  return str_cat(did_you_mean(word, choices), "It may be: ", joined(choices), ".");
}

}  // namespace mdl::launcher::command_line

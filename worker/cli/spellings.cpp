#include "worker/cli/spellings.hpp"

#include <algorithm>
#include <sstream>

#include "common/str_cat.hpp"

namespace mdl::worker::cli {

std::vector<std::string> names_in(const char* with_commas) {
  std::vector<std::string> names;
  std::istringstream in(with_commas ? with_commas : "");
  for (std::string name; std::getline(in, name, ',');) { names.push_back(name); }
  return names;
}

std::string with_dashes(std::string name) {
  std::ranges::replace(name, '_', '-');
  return name;
}

const OptionText* find_option(std::span<const OptionText> options, const std::string& name) {
  const std::string wanted = with_dashes(name);
  for (const OptionText& option : options) {
    if (wanted == option.name) { return &option; }
    const auto others = names_in(option.also);
    if (std::ranges::find(others, wanted) != others.end()) { return &option; }
  }
  return nullptr;
}

std::vector<std::string> known_names(std::span<const OptionText> options) {
  std::vector<std::string> names = {"help", "config", "print-config"};
  for (const OptionText& option : options) {
    names.emplace_back(option.name);
    for (const std::string& other : names_in(option.also)) { names.push_back(other); }
  }
  return names;
}

std::vector<std::string> with_own_names(std::vector<std::string> arguments, std::span<const OptionText> options) {
  for (std::string& word : arguments) {
    if (word == "--") { break; }
    if (!word.starts_with("--")) { continue; }
    const auto end = std::min(word.find('='), word.size());
    const std::string name = word.substr(2, end - 2);
    if (const OptionText* option = find_option(options, name)) { word = str_cat("--", option->name, word.substr(end)); }
    if (with_dashes(name) == "print-config") { word = "--print-config"; }
  }
  return arguments;
}

}  // namespace mdl::worker::cli

#include "worker/cli/printed_config.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/cli/spellings.hpp"

namespace mdl::worker::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-";

/// Quoted where YAML could take it for something else: JSON's texts are YAML's.
std::string yaml_text(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_not_of(kPlainCharacters) == std::string::npos &&
                     value != "null" && value != "Null" && value != "NULL" && value.front() != '-' &&
                     value.front() != '@';
  const auto replace = nlohmann::json::error_handler_t::replace;
  return plain ? value : nlohmann::json(value).dump(-1, ' ', false, replace);
}

std::string absolute(const OptionText& option, const std::string& value) {
  const std::string_view takes = option.takes;
  std::error_code unknown;
  if (value.empty() || (takes != kPath && takes != kPaths && (takes != kPathOrName || !fs::exists(value, unknown)))) {
    return value;
  }
  const fs::path path = fs::absolute(value, unknown);
  return unknown ? value : path.lexically_normal().string();
}

std::string value_text(const OptionText& option, const std::vector<std::string>& values) {
  if (!takes_list(option.takes)) { return yaml_text(absolute(option, values.back())); }
  if (option.takes == std::string_view(kPaths) && values.size() == 1) {
    return yaml_text(absolute(option, values.front()));
  }
  std::string list;
  for (const std::string& value : values) {
    list += str_cat(list.empty() ? "" : ", ", yaml_text(absolute(option, value)));
  }
  return str_cat("[", list, "]");
}

/// As a list where the option takes several, of which the default is written with commas.
std::string fallback_text(const OptionText& option) {
  if (!option.fallback) { return "null"; }
  return value_text(option, option.takes == std::string_view(kList) ? names_in(option.fallback)
                                                                    : std::vector<std::string>{option.fallback});
}

std::string line_of(const OptionText& option, const GivenOptions& given) {
  if (given.has(option.name)) {
    return str_cat(option.name, ": ", value_text(option, given.values(option.name)), "\n");
  }
  return str_cat("# ", option.name, ": ", fallback_text(option), "\n");
}

}  // namespace

std::string printed_config(const CommandSyntax& syntax, const GivenOptions& given) {
  std::string text = str_cat("# Options of `mdl-toolkit ", syntax.name, " --config THIS_FILE` (version ", version(),
                             "). A line with a # in front is a default.\n");
  const auto standing = names_in(syntax.standing);
  for (std::size_t i = 0; i < standing.size(); ++i) {
    const OptionText argument{.name = standing[i].c_str(), .help = "", .takes = kPathOrName};
    text += i < given.standing().size() ? str_cat(standing[i], ": ", value_text(argument, {given.standing()[i]}), "\n")
                                        : str_cat("# ", standing[i], ": null\n");
  }
  for (const OptionText& option : syntax.options) {
    if (option.section) { text += str_cat("\n# ", option.section, "\n"); }
    text += line_of(option, given);
  }
  return text;
}

}  // namespace mdl::worker::cli

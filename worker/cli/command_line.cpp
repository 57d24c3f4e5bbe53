#include "worker/cli/command_line.hpp"

#include <algorithm>
#include <boost/program_options.hpp>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/option_values.hpp"

namespace mdl::worker::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kStanding = "standing";

std::string advice(const std::string& command) {
  return str_cat("Try: mdl-toolkit ", command, " --help");
}

/// "--a-name" of "--a_name=value".
std::string option_of(const std::string& word) {
  std::string option = word.substr(0, word.find('='));
  std::ranges::replace(option, '_', '-');
  return option;
}

std::string without_dashes(const std::string& option) {
  return option.substr(std::min(option.find_first_not_of('-'), option.size()));
}

/// The value that was given to an option which is not known, in a word of its own or behind a "=".
std::optional<std::string> value_of(const std::string& name, const std::vector<std::string>& arguments) {
  for (auto word = arguments.begin(); word != arguments.end(); ++word) {
    if (!word->starts_with('-') || without_dashes(option_of(*word)) != name) { continue; }
    if (const auto sign = word->find('='); sign != std::string::npos) { return word->substr(sign + 1); }
    if (const auto next = std::next(word); next != arguments.end() && !next->starts_with('-')) { return *next; }
  }
  return std::nullopt;
}

/// What to write instead of an option; empty where nothing is known.
std::string other_way_of(const std::string& name, std::span<const OtherWay> other_ways,
                         const std::vector<std::string>& arguments) {
  constexpr std::string_view kValue = "VALUE";
  for (const OtherWay& other : other_ways) {
    if (name != other.name) { continue; }
    std::string text = other.advice;
    const auto value = value_of(name, arguments);
    const auto at = text.find(kValue);
    if (value && at != std::string::npos) { text.replace(at, kValue.size(), *value); }
    return text + " ";
  }
  return {};
}

[[noreturn]] void refuse_option(const std::string& command, const std::string& typed,
                                std::span<const OptionText> options, std::span<const OtherWay> other_ways,
                                const std::vector<std::string>& arguments) {
  std::vector<std::string> names = {"help"};
  for (const OptionText& option : options) { names.emplace_back(option.name); }
  const std::string option = typed.substr(0, typed.find('='));
  const std::string other_way = other_way_of(without_dashes(option_of(typed)), other_ways, arguments);
  throw UsageError(
      str_cat("unknown option ", option),
      (other_way.empty() ? did_you_mean(without_dashes(option), names, "--") : other_way) + advice(command));
}

/// `typed`: an option behind which nothing, or the next option, comes.
[[noreturn]] void refuse_missing_value(const std::string& command, const std::string& typed,
                                       std::span<const OptionText> options) {
  const std::string name = without_dashes(typed);
  const auto option = std::ranges::find(options, name, &OptionText::name);
  throw UsageError(str_cat("--", name, " needs ", option == options.end() ? "a value" : option->takes),
                   advice(command));
}

/// `null` is nothing where an option may be nothing, which is for the command to say.
void require_booleans(const po::variables_map& given, std::span<const OptionText> options) {
  for (const OptionText& option : options) {
    if (option.takes != std::string_view(kTrueOrFalse) || !given.count(option.name)) { continue; }
    const std::string& value = given[option.name].as<std::vector<std::string>>().back();
    if (value != "null" && !read_boolean(value)) { reject_boolean(option.name, value); }
  }
}

}  // namespace

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const auto& a) { return a == "--help" || a == "-h"; });
}

po::variables_map parse_command_line(const std::string& command, std::span<const OptionText> options,
                                     const std::vector<std::string>& arguments, std::span<const OtherWay> other_ways) {
  po::options_description all;
  all.add_options()("help,h", "")(kStanding, po::value<std::vector<std::string>>());
  for (const OptionText& option : options) {
    all.add_options()(option.name, po::value<std::vector<std::string>>(), option.help);
  }
  po::positional_options_description positional;
  positional.add(kStanding, -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  .style(style::allow_long | style::allow_short | style::short_allow_next |
                         style::allow_dash_for_short | style::long_allow_adjacent | style::long_allow_next)
                  .run(),
              given);
  } catch (const po::unknown_option& error) {
    refuse_option(command, error.get_option_name(), options, other_ways, arguments);
  } catch (const po::invalid_command_line_syntax& error) {
    using Syntax = po::invalid_syntax;
    if (error.kind() == Syntax::missing_parameter || error.kind() == Syntax::empty_adjacent_parameter) {
      refuse_missing_value(command, error.get_option_name(), options);
    }
    throw UsageError(error.what(), advice(command));
  } catch (const po::error& error) { throw UsageError(error.what(), advice(command)); }
  if (!given.count("help")) { require_booleans(given, options); }
  return given;
}

std::string standing_argument(const po::variables_map& given, const std::string& command, const std::string& what,
                              const std::string& hint) {
  if (!given.count(kStanding)) {
    throw UsageError(str_cat("no ", what, " is named"), str_cat(hint, hint.empty() ? "" : " ", advice(command)));
  }
  const auto& standing = given[kStanding].as<std::vector<std::string>>();
  if (standing.size() > 1) {
    throw UsageError(str_cat("one ", what, " is expected, but also \"", standing[1], "\" stands alone"),
                     advice(command));
  }
  return standing.front();
}

void refuse_standing_arguments(const po::variables_map& given, const std::string& command) {
  if (!given.count(kStanding)) { return; }
  throw UsageError(str_cat("mdl-toolkit ", command, " takes options only, but \"",
                           given[kStanding].as<std::vector<std::string>>().front(), "\" stands alone"),
                   advice(command));
}

}  // namespace mdl::worker::cli

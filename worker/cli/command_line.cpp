#include "worker/cli/command_line.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <optional>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/config_file.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/spellings.hpp"

namespace mdl::worker::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kStanding = "standing";
constexpr const char* kPrintConfig = "print-config";
constexpr const char* kConfig = "config";

std::string advice(const std::string& command) {
  return str_cat("Try: mdl-toolkit ", command, " --help");
}

/// "--a-name" of "--a_name=value".
std::string option_of(const std::string& word) {
  return with_dashes(word.substr(0, word.find('=')));
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

/// `typed`: an option behind which nothing, or the next option, comes.
[[noreturn]] void refuse_missing_value(const CommandSyntax& syntax, const std::string& typed) {
  const std::string name = without_dashes(typed);
  const OptionText* option = find_option(syntax.options, name);
  throw UsageError(str_cat("--", name, " needs ", option ? option->takes : kOneValue), advice(syntax.name));
}

/// `null` is nothing where an option may be nothing, which is for the command to say.
void require_booleans(const GivenOptions& given, std::span<const OptionText> options) {
  for (const OptionText& option : options) {
    if (option.takes != std::string_view(kTrueOrFalse) || !given.has(option.name)) { continue; }
    const std::string& value = given.values(option.name).back();
    if (value != "null" && !read_boolean(value)) { reject_boolean(option.name, value); }
  }
}

po::variables_map parse_words(const CommandSyntax& syntax, const std::vector<std::string>& arguments) {
  po::options_description all;
  const auto texts = [] { return po::value<std::vector<std::string>>(); };
  all.add_options()("help,h", "")(kPrintConfig, "")(kConfig, texts())(kStanding, texts());
  for (const OptionText& option : syntax.options) { all.add_options()(option.name, texts(), option.help); }
  po::positional_options_description positional;
  positional.add(kStanding, -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(with_own_names(arguments, syntax.options))
                  .options(all)
                  .positional(positional)
                  .style(style::allow_long | style::allow_short | style::short_allow_next |
                         style::allow_dash_for_short | style::long_allow_adjacent | style::long_allow_next)
                  .run(),
              given);
  } catch (const po::unknown_option& error) {
    refuse_option(syntax, error.get_option_name(), {}, arguments);
  } catch (const po::invalid_command_line_syntax& error) {
    using Syntax = po::invalid_syntax;
    if (error.kind() == Syntax::missing_parameter || error.kind() == Syntax::empty_adjacent_parameter) {
      refuse_missing_value(syntax, error.get_option_name());
    }
    throw UsageError(error.what(), advice(syntax.name));
  } catch (const po::error& error) { throw UsageError(error.what(), advice(syntax.name)); }
  return given;
}

/// The options of the file, for those that the command line has not.
void read_config(const CommandSyntax& syntax, const po::variables_map& words, GivenOptions& given) {
  if (!words.count(kConfig)) { return; }
  const auto& files = words[kConfig].as<std::vector<std::string>>();
  if (files.size() > 1) {
    throw UsageError("--config is given twice", "Options of one file and of the command line are joined, not of two.");
  }
  add_config_file(files.front(), syntax, given);
}

}  // namespace

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const auto& a) { return a == "--help" || a == "-h"; });
}

void refuse_option(const CommandSyntax& syntax, const std::string& typed, const std::string& place,
                   const std::vector<std::string>& arguments) {
  const std::string option = typed.substr(0, typed.find('='));
  const std::string name = without_dashes(option_of(typed));
  const std::string other_way = other_way_of(name, syntax.other_ways, arguments);
  const std::string_view dashes = place.empty() ? "--" : "";
  throw UsageError(
      str_cat(place, place.empty() ? "" : ": ", "unknown option ", option),
      (other_way.empty() ? did_you_mean(name, known_names(syntax.options), dashes) : other_way) + advice(syntax.name));
}

GivenOptions parse_command_line(const CommandSyntax& syntax, const std::vector<std::string>& arguments) {
  const po::variables_map words = parse_words(syntax, arguments);
  GivenOptions given;
  if (words.count("help")) {
    given.set_help();
    return given;
  }
  if (words.count(kPrintConfig)) { given.set_prints_config(); }
  if (words.count(kStanding)) { given.set_standing(words[kStanding].as<std::vector<std::string>>()); }
  for (const OptionText& option : syntax.options) {
    if (words.count(option.name)) { given.set(option.name, words[option.name].as<std::vector<std::string>>()); }
  }
  require_booleans(given, syntax.options);
  read_config(syntax, words, given);
  with_places(given, [&] { require_booleans(given, syntax.options); });
  return given;
}

std::string standing_argument(const GivenOptions& given, const std::string& command, const std::string& what,
                              const std::string& hint) {
  const auto& standing = given.standing();
  if (standing.empty()) {
    if (given.prints_config()) { return {}; }
    throw UsageError(str_cat("no ", what, " is named"), str_cat(hint, hint.empty() ? "" : " ", advice(command)));
  }
  if (standing.size() > 1) {
    throw UsageError(str_cat("one ", what, " is expected, but also \"", standing[1], "\" stands alone"),
                     advice(command));
  }
  return standing.front();
}

std::vector<std::string> standing_arguments(const GivenOptions& given, const std::string& command,
                                            const std::string& what, std::size_t least, std::size_t most) {
  const auto& standing = given.standing();
  if (standing.size() > most) {
    throw UsageError(
        str_cat("mdl-toolkit ", command, " takes ", what, ", but also \"", standing[most], "\" stands alone"),
        advice(command));
  }
  if (standing.size() < least && !given.prints_config()) {
    throw UsageError(str_cat("mdl-toolkit ", command, " takes ", what, ", and ",
                             standing.empty() ? "none of them is" : "not all of them are", " named"),
                     advice(command));
  }
  return standing;
}

void refuse_standing_arguments(const GivenOptions& given, const std::string& command) {
  if (given.standing().empty()) { return; }
  throw UsageError(
      str_cat("mdl-toolkit ", command, " takes options only, but \"", given.standing().front(), "\" stands alone"),
      advice(command));
}

}  // namespace mdl::worker::cli

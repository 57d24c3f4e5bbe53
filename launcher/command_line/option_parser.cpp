#include "launcher/command_line/option_parser.hpp"

#include <optional>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_word.hpp"

namespace mdl::launcher::command_line {
namespace {

/// What stands in the option's own word: behind '=', or directly behind the letter of a short one.
std::optional<std::string> attached_value(const std::string& word) {
  if (word.starts_with("--")) {
    const std::size_t equals = word.find('=');
    return equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1));
  }
  if (word.size() == 2) { return std::nullopt; }
  return word.substr(word[2] == '=' ? 3 : 2);
}

GivenOption read_option(const Option& option, const std::vector<std::string>& arguments, std::size_t at,
                        const OptionTable& table) {
  const auto see_help = [&] { return table.command() + " --help lists the options."; };
  const auto attached = attached_value(arguments[at]);
  if (!option.takes_value()) {
    if (attached) {
      throw UsageError(str_cat("option --", option.name, " takes no value, but got \"", *attached, "\""), see_help());
    }
    return {&option, "", at, at + 1};
  }
  if (attached) { return {&option, *attached, at, at + 1}; }
  if (at + 1 == arguments.size() || !may_be_option_value(arguments[at + 1])) {
    throw UsageError(str_cat("option --", option.name, " needs a value"), see_help());
  }
  return {&option, arguments[at + 1], at, at + 2};
}

}  // namespace

const GivenOption* ParsedArguments::find(std::string_view name) const {
  const GivenOption* found = nullptr;
  for (const GivenOption& given : options) {
    if (given.option->name == name) { found = &given; }
  }
  return found;
}

ParsedArguments parse_arguments(const std::vector<std::string>& arguments, const OptionTable& table,
                                UnknownOption unknown) {
  ParsedArguments parsed;
  bool ended = false;
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string& word = arguments[at];
    if (word == "--") {
      ended = true;
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') { break; }
    if (const Option* option = table.recognise(word)) {
      parsed.options.push_back(read_option(*option, arguments, at, table));
      at = parsed.options.back().end;
    } else if (unknown == UnknownOption::skip) {
      ++at;
    } else {
      table.refuse(word);
    }
  }
  parsed.program_begin = at;
  parsed.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  // argparse removes the first "--" of a command line, also when it comes directly behind the program.
  if (!ended && parsed.program.size() > 1 && parsed.program[1] == "--") {
    parsed.program.erase(parsed.program.begin() + 1);
  }
  return parsed;
}

ParsedArguments parse_options_only(const std::vector<std::string>& arguments, const OptionTable& table,
                                   const std::vector<std::string>& words) {
  ParsedArguments parsed = parse_arguments(arguments, table);
  if (!parsed.program.empty()) {
    const std::string& word = parsed.program.front();
    throw UsageError(str_cat(table.command(), ": what is the word \"", word, "\" for?"),
                     str_cat(did_you_mean(word, words), table.command(), " --help shows how it is written."));
  }
  return parsed;
}

}  // namespace mdl::launcher::command_line

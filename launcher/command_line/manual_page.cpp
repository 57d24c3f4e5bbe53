#include "launcher/command_line/manual_page.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "common/str_cat.hpp"
#include "common/version.hpp"

namespace mdl::launcher::command_line {
namespace {

/// `text` so that troff prints it as it is: a dash stays one that can be copied, and no line begins with a request.
std::string literal(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) { result += "\\&"; }
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

/// A paragraph for each line; empty lines are none.
std::string paragraphs(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) { result += str_cat(result.empty() ? "" : ".PP\n", literal(line), "\n"); }
  }
  return result;
}

std::string entry(const std::string& name, const std::string& text) {
  return str_cat(".TP\n", name, "\n", literal(text), "\n");
}

std::string option_entry(const Option& option) {
  const std::string letter = option.letter ? str_cat("\\fB\\-", option.letter, "\\fR, ") : std::string();
  const std::string value = option.takes_value() ? str_cat(" \\fI", literal(option.value), "\\fR") : std::string();
  return entry(str_cat(letter, "\\fB\\-\\-", literal(option.name), "\\fR", value), option.help);
}

std::string synopsis(const std::string& usage) {
  constexpr std::size_t kAfterUsage = 7;  // "Usage: ", or as many blanks
  std::istringstream lines(usage);
  std::string result = ".nf\n";
  for (std::string line; std::getline(lines, line);) { result += literal(line.substr(kAfterUsage)) + "\n"; }
  return result + ".fi\n";
}

/// A few words for the line by which pages are searched.
std::string purpose(const CommandHelp& help) {
  for (const Command& command : commands()) {
    if (command.name == help.name) { return command.help; }
  }
  return "start and watch the worker processes of a distributed PyTorch job";
}

std::string see_also(const CommandHelp& help) {
  std::string pages = help.name.empty() ? "" : ".BR mdl\\-launch (1)";
  for (const Command& command : commands()) {
    if (command.name == help.name) { continue; }
    pages += str_cat(pages.empty() ? "" : ",\n", ".BR mdl\\-launch\\-", command.name, " (1)");
  }
  return pages + "\n";
}

}  // namespace

std::string page_name(const CommandHelp& help) {
  return help.name.empty() ? "mdl-launch" : "mdl-launch-" + help.name;
}

std::string manual_page(const CommandHelp& help) {
  std::string title = page_name(help);
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string text = str_cat(".TH ", title, " 1 \"\" \"mdl-launch ", version(), "\" \"User Commands\"\n.SH NAME\n",
                             literal(page_name(help)), " \\- ", literal(purpose(help)), "\n.SH SYNOPSIS\n",
                             synopsis(help.usage), ".SH DESCRIPTION\n", paragraphs(help.description));
  if (!help.commands.empty()) { text += ".SH COMMANDS\nA program of such a name is started as ./NAME.\n"; }
  for (const Command& command : help.commands) { text += entry("\\fB" + command.name + "\\fR", command.help); }
  text += ".SH OPTIONS\n";
  for (const OptionGroup& group : help.options->groups()) {
    const bool shown =
        std::any_of(group.options.begin(), group.options.end(), [](auto& option) { return !option.hidden; });
    if (!shown) { continue; }
    if (help.options->groups().size() > 1) { text += str_cat(".SS ", literal(group.title), "\n"); }
    for (const Option& option : group.options) {
      if (!option.hidden) { text += option_entry(option); }
    }
  }
  if (!help.ending.empty()) { text += ".SH NOTES\n" + paragraphs(help.ending); }
  return text + ".SH SEE ALSO\n" + see_also(help);
}

}  // namespace mdl::launcher::command_line

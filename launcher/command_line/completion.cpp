#include "launcher/command_line/completion.hpp"

#include <set>

#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::command_line {
namespace {

/// The options of a command that a user may write, each once; no families of names.
std::vector<Option> options_of(const CommandHelp& help) {
  std::vector<Option> options;
  std::set<std::string> seen;
  for (const OptionGroup& group : (help.all_options ? help.all_options : help.options)->groups()) {
    for (const Option& option : group.options) {
      if (!option.hidden && seen.insert(option.name).second) { options.push_back(option); }
    }
  }
  return options;
}

std::string option_words(const CommandHelp& help, const char* dashes) {
  std::vector<std::string> names;
  for (const Option& option : options_of(help)) { names.push_back(dashes + option.name); }
  return joined(names, " ");
}

std::string command_words(const std::vector<CommandHelp>& helps, const char* between) {
  std::vector<std::string> names;
  for (const CommandHelp& help : helps) {
    if (!help.name.empty()) { names.push_back(help.name); }
  }
  return joined(names, between);
}

bool is_file(const Option& option) {
  return option.value == "FILE" || option.value == "PATH" || option.value == "DIR" || option.value == "FOLDER";
}

/// Between quotes of a shell.
std::string quoted(const std::string& text, const std::string& escaped = "'", const std::string& escape = "'\\''") {
  std::string result;
  for (const char c : text) { result += escaped.find(c) == std::string::npos ? std::string(1, c) : escape; }
  return str_cat("'", result, "'");
}

/// For zsh a description stands in brackets, in which brackets and colons need a backslash.
std::string zsh_description(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') { result += '\\'; }
    result += c;
  }
  return result;
}

// bash ---------------------------------------------------------------------------------------------------------------

/// A line of a `case` over COMMAND:--OPTION for each that takes a value: "w" and the words, or "f" for files.
std::string bash_values(const CommandHelp& help) {
  std::string text;
  for (const Option& option : options_of(help)) {
    if (!option.takes_value()) { continue; }
    const std::string letter = option.letter ? str_cat("|", help.name, ":-", option.letter) : std::string();
    const std::string words = joined(option.known_values(), " ");
    text += str_cat("    ", help.name, ":--", option.name, letter, ") echo '", is_file(option) ? "f" : "w " + words,
                    "' ;;\n");
  }
  return text;
}

std::string bash_options(const CommandHelp& help) {
  std::string words = option_words(help, "--");
  for (const std::string& word : help.words) { words += " " + word; }
  return str_cat("    ", help.name.empty() ? "''" : help.name, ") echo '", words, "' ;;\n");
}

std::string bash_script(const std::vector<CommandHelp>& helps) {
  std::string values, options;
  for (const CommandHelp& help : helps) {
    values += bash_values(help);
    options += bash_options(help);
  }
  return str_cat(
      "# What the value of COMMAND:OPTION may be: \"w\" and words, or \"f\" for a file; nothing where it takes none.\n"
      "_mdl_launch_value() {\n  case \"$1\" in\n",
      values,
      "  esac\n}\n"
      "_mdl_launch_options() {\n  case \"$1\" in\n",
      options,
      R"sh(  esac
}
_mdl_launch() {
  local word="${COMP_WORDS[COMP_CWORD]}" command='' at=1 option='' value
  COMPREPLY=()
  case "${COMP_WORDS[1]-}" in
    )sh",
      command_words(helps, "|"), R"sh()
      if [ "$COMP_CWORD" -gt 1 ]; then command=${COMP_WORDS[1]} at=2; fi ;;
  esac
  # Options end at the first word that is neither one nor its value. bash makes three words of --option=value.
  while [ "$at" -lt "$COMP_CWORD" ]; do
    option=${COMP_WORDS[at]}
    case "$option" in -*) ;; *) break ;; esac
    case "$option" in --*) option=${option//_/-} ;; esac
    at=$((at + 1))
    if [ -n "$(_mdl_launch_value "$command:$option")" ]; then
      if [ "${COMP_WORDS[at]-}" = = ] && [ "$at" -lt "$COMP_CWORD" ]; then at=$((at + 1)); fi
      if [ "$at" -ge "$COMP_CWORD" ]; then break; fi
      at=$((at + 1))
    fi
    option=''
  done
  if [ "$at" -lt "$COMP_CWORD" ]; then
    COMPREPLY=($(compgen -f -- "$word"))
    return
  fi
  if [ "$word" = = ]; then word=''; fi
  value=$(_mdl_launch_value "$command:$option")
  case "$value" in
    f) COMPREPLY=($(compgen -f -- "$word")) ;;
    w*) COMPREPLY=($(compgen -W "${value#w}" -- "$word")) ;;
    *)
      COMPREPLY=($(compgen -W "$(_mdl_launch_options "$command")" -- "$word"))
      if [ -z "$command" ] && [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY+=($(compgen -W ')sh",
      command_words(helps, " "), R"sh(' -- "$word"))
      fi
      case "$word" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$word")) ;; esac ;;
  esac
}
complete -o filenames -F _mdl_launch mdl-launch
)sh");
}

// zsh ----------------------------------------------------------------------------------------------------------------

std::string zsh_arguments(const CommandHelp& help) {
  std::string text = "_arguments -S -A '-*'";
  for (const Option& option : options_of(help)) {
    const std::string words = joined(option.known_values(), " ");
    const std::string value = !option.takes_value() ? ""
                              : is_file(option)     ? ":file:_files"
                              : words.empty()       ? ":value: "
                                                    : str_cat(":value:(", words, ")");
    const std::string rest = str_cat("[", zsh_description(option.help), "]", value);
    text += str_cat(" \\\n    ", quoted(str_cat("--", option.name, option.takes_value() ? "=" : "", rest)));
    if (option.letter) { text += str_cat(" \\\n    ", quoted(str_cat("-", option.letter, rest))); }
  }
  if (!help.words.empty()) { text += str_cat(" \\\n    ", quoted(str_cat("1:word:(", joined(help.words, " "), ")"))); }
  if (help.starts_program) { text += " \\\n    '*::program:_normal'"; }
  return text + "\n";
}

std::string zsh_script(const std::vector<CommandHelp>& helps) {
  std::string text =
      "#compdef mdl-launch\n"
      "_mdl_launch() {\n"
      "local curcontext=\"$curcontext\" state line\n"
      "if (( CURRENT > 2 )); then\n"
      "  case \"$words[2]\" in\n";
  std::string names;
  for (const CommandHelp& help : helps) {
    if (help.name.empty()) { continue; }
    text +=
        str_cat("  ", help.name, ")\n    shift words; (( CURRENT-- ))\n    ", zsh_arguments(help), "    return ;;\n");
  }
  for (const Command& command : helps.front().commands) {
    names += " " + quoted(str_cat(command.name, ":", command.help));
  }
  return str_cat(text,
                 "  esac\nfi\n"
                 "if (( CURRENT == 2 )) && [[ \"$words[2]\" != -* ]]; then\n"
                 "  local -a commands=(",
                 names,
                 ")\n  _describe -t commands command commands\n"
                 "fi\n",
                 zsh_arguments(helps.front()), "}\n_mdl_launch \"$@\"\n");
}

// fish ---------------------------------------------------------------------------------------------------------------

std::string fish_quoted(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'' || c == '\\') { result += '\\'; }
    result += c;
  }
  return str_cat("'", result, "'");
}

std::string fish_script(const std::vector<CommandHelp>& helps) {
  const std::string names = command_words(helps, " ");
  std::string text = str_cat(
      "# Whether the command is this one; none: mdl-launch's own options.\n"
      "function __mdl_launch_command\n"
      "  set -l words (commandline -opc)\n"
      "  if contains -- \"$words[2]\" ",
      names,
      "\n    test \"$words[2]\" = \"$argv[1]\"\n"
      "  else\n    test -z \"$argv[1]\"\n  end\nend\n");
  for (const Command& command : helps.front().commands) {
    text += str_cat("complete -c mdl-launch -n 'test (count (commandline -opc)) = 1' -a ", command.name, " -d ",
                    fish_quoted(command.help), "\n");
  }
  for (const CommandHelp& help : helps) {
    const std::string start = str_cat("complete -c mdl-launch -n '__mdl_launch_command ", help.name, "'");
    for (const std::string& word : help.words) { text += str_cat(start, " -a ", word, "\n"); }
    for (const Option& option : options_of(help)) {
      const std::string words = joined(option.known_values(), " ");
      text += str_cat(start, " -l ", option.name);
      if (option.letter) { text += str_cat(" -s ", option.letter); }
      if (option.takes_value()) { text += is_file(option) ? " -r" : " -x"; }
      if (!words.empty()) { text += str_cat(" -a ", fish_quoted(words)); }
      text += str_cat(" -d ", fish_quoted(option.help), "\n");
    }
  }
  return text;
}

std::string tcsh_script(const CommandHelp& help) {
  return str_cat("complete mdl-launch 'c/--/(", option_words(help, ""), ")/' 'p/*/f/'\n");
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandHelp>& helps) {
  if (shell == "bash") { return bash_script(helps); }
  if (shell == "zsh") { return zsh_script(helps); }
  return shell == "fish" ? fish_script(helps) : tcsh_script(helps.front());
}

}  // namespace mdl::launcher::command_line

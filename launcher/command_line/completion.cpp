#include "launcher/command_line/completion.hpp"

#include "common/str_cat.hpp"

namespace mdl::launcher::command_line {
namespace {

std::string option_words(const OptionTable& options, const char* dashes) {
  std::string words;
  for (const std::string& name : options.names()) { words += str_cat(words.empty() ? "" : " ", dashes, name); }
  return words;
}

/// For zsh a description stands in brackets, which must not occur in it, between quotes.
std::string quoted_description(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else if (c == '[' || c == ']' || c == ':') {
      result += str_cat("\\", c);
    } else {
      result += c;
    }
  }
  return result;
}

std::string bash_script(const OptionTable& options) {
  return str_cat(
      "_mdl_launch() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
      "  if [[ \"$word\" == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W '",
      option_words(options, "--"),
      "' -- \"$word\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$word\") $(compgen -c -- \"$word\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _mdl_launch mdl-launch\n");
}

std::string zsh_script(const OptionTable& options) {
  std::string text = "#compdef mdl-launch\n_arguments \\\n";
  for (const std::string& name : options.names()) {
    const Option& option = *options.find(name);
    text += str_cat("  '--", name, "[", quoted_description(option.help), "]",
                    option.takes_value() ? ":value:_files" : "", "' \\\n");
  }
  return text + "  '*::program:_normal'\n";
}

std::string tcsh_script(const OptionTable& options) {
  return str_cat("complete mdl-launch 'c/--/(", option_words(options, ""), ")/' 'p/*/f/'\n");
}

}  // namespace

std::string completion_script(const std::string& shell, const OptionTable& options) {
  if (shell == "bash") { return bash_script(options); }
  return shell == "zsh" ? zsh_script(options) : tcsh_script(options);
}

}  // namespace mdl::launcher::command_line

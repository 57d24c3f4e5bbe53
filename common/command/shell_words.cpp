#include "common/command/shell_words.hpp"

namespace mdl::command {

std::string shell_quoted(const std::string& word) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) { return word; }
  std::string quoted = "'";
  for (const char letter : word) { quoted += letter == '\'' ? "'\\''" : std::string(1, letter); }
  return quoted + "'";
}

std::string shell_command(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) { text += (text.empty() ? "" : " ") + shell_quoted(word); }
  return text;
}

}  // namespace mdl::command

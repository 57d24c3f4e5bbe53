#pragma once

#include <string>
#include <vector>

namespace mdl::command {

/// `word` as a shell takes it for one word, itself where it needs no quotes: "a b" in single quotes.
std::string shell_quoted(const std::string& word);

/// The words with blanks between them, each shell_quoted().
std::string shell_command(const std::vector<std::string>& words);

}  // namespace mdl::command

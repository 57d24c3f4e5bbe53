#include "launcher/command_line/dialect.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/commands.hpp"

namespace mdl::launcher::command_line {

Dialect dialect_of(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  if (name == "torchrun") { return Dialect::torchrun; }
  return name == "accelerate" ? Dialect::accelerate : Dialect::own;
}

std::vector<std::string> from_accelerate(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Command& command : commands()) { names.push_back(command.name); }
  const std::string list = str_cat("This accelerate is mdl-launch. Its commands are ", joined(names, ", "), ".");
  if (words.empty()) { throw UsageError("no command of accelerate's is named", list); }
  const std::string& word = words.front();
  const bool asks = word == "--help" || word == "-h" || word == "--version";
  if (asks || std::find(names.begin(), names.end(), word) != names.end()) { return words; }
  for (const char* other : {"estimate-memory", "merge-weights", "test", "to-fsdp2", "tpu-config"}) {
    if (word == other) {
      throw UsageError(str_cat("accelerate ", word, " needs Python's accelerate"),
                       str_cat(list, " Python's is started by: python3 -m accelerate.commands.accelerate_cli ", word));
    }
  }
  throw UsageError(str_cat("accelerate has no command \"", word, "\""), str_cat(command_suggestion(word), list));
}

}  // namespace mdl::launcher::command_line

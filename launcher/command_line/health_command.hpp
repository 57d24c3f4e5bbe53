#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/options.hpp"

namespace mdl::launcher::command_line {

/// The words of a command line as a shell divides it: blanks between words, '…' and "…" around what belongs together,
/// \ before a letter that means itself. No shell is there for the rest: throws UsageError, which begins with `source`,
/// for what one would do (|, $NAME, *, ~), for a quote that does not end, and for no words at all.
std::vector<std::string> split_command(const std::string& source, const std::string& text);

/// --health-command, ready to be started.
struct HealthCommand {
  std::string text;  ///< as the user wrote it
  std::string executable;
  std::vector<std::string> argv;
};

/// Finds the program of `text` in PATH, unless it has a slash. Throws UsageError as split_command does, and Error with
/// exit code 126 or 127 when there is no such program, or it cannot be run.
HealthCommand plan_health_command(const std::string& text, const Environment& environment);

}  // namespace mdl::launcher::command_line

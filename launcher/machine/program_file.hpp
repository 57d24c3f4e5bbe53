#pragma once

#include <optional>
#include <string>

namespace mdl::launcher::machine {

/// What a file's own bytes say about what it takes to run it.
struct ProgramFile {
  bool compiled = false;    ///< an ELF file
  bool archive = false;     ///< it ends as a zip file does: python runs those, whatever they begin with (zipapp, pex)
  std::string interpreter;  ///< of a compiled program its loader, of a script what follows #!; may be empty
  std::string first_argument;  ///< what follows the interpreter in a script's first line; may be empty

  /// A compiled program that python cannot read as a script either.
  bool is_not_for_python() const { return compiled && !archive; }
  /// A script with the name of an interpreter in its first line that is not python: a hint, not a proof, as there are
  /// files that are both a shell's and Python's.
  bool names_another_interpreter() const;
};

/// nullopt where there is no regular file, or one that is empty or cannot be read.
std::optional<ProgramFile> look_at_program(const std::string& path);

/// Throws UsageError when the file at `path`, which python is to run, is a program that it cannot read.
void refuse_compiled_script(const std::string& path);

/// A reason why exec of the file at `path` would fail for want of its interpreter, or why that would not find what it
/// is to run, with what to do about it; `search_path` is the PATH of the process that would be started.
struct StartObstacle {
  std::string problem;
  std::string advice;
};
std::optional<StartObstacle> start_obstacle(const std::string& path, const std::string& search_path);

}  // namespace mdl::launcher::machine

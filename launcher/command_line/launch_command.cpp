#include "launcher/command_line/launch_command.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "launcher/command_line/commands.hpp"
#include "launcher/command_line/template_string.hpp"
#include "launcher/machine/program_file.hpp"

namespace mdl::launcher::command_line {
namespace {

/// How python runs the script of --run-path: as torchrun's workers do, by runpy, and what the script raises goes to the
/// error file in the form of torch's @record, also where the script itself does not use that. (A script that was
/// started directly has its folder in sys.path; one that torchrun runs by runpy does not, but nothing is lost by having
/// it.)
constexpr const char* kRunPath = R"(
import json, os, runpy, sys, time, traceback
sys.argv.pop(0)
if sys.path[:1] == [""]:
    sys.path.pop(0)
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except Exception as error:
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path and not os.path.exists(path):
        with open(path, "w") as file:
            extra = {"py_callstack": traceback.format_exc(), "timestamp": str(int(time.time()))}
            json.dump({"message": {"message": type(error).__name__ + ": " + str(error), "extraInfo": extra}}, file)
    raise
)";

constexpr const char* kDefaultPath = "/bin:/usr/bin";

bool is_regular_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// `name` as execvp would find it. A file that is found but not executable is remembered in `not_executable`.
std::optional<std::string> find_in_path(const std::string& name, const std::string& path, std::string& not_executable) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string folder = end == begin ? "." : path.substr(begin, end - begin);
    const std::string candidate = str_cat(folder, "/", name);
    if (is_regular_file(candidate)) {
      if (::access(candidate.c_str(), X_OK) == 0) { return candidate; }
      not_executable = candidate;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

}  // namespace

std::string find_program(const std::string& name, const Environment& environment, const std::string& advice,
                         const std::string& other_kind) {
  if (name.find('/') != std::string::npos) {
    struct stat info{};
    if (::stat(name.c_str(), &info) != 0) {
      throw Error(describe_errno("cannot run", name, errno), advice, kExitNotFound);
    }
    if (S_ISDIR(info.st_mode)) { throw Error(describe_errno("cannot run", name, EISDIR), advice, kExitNotExecutable); }
    if (::access(name.c_str(), X_OK) != 0) {
      throw Error(describe_errno("cannot run", name, errno),
                  str_cat("Make it executable with chmod +x", other_kind.empty() ? "" : ", or, ", other_kind, "."),
                  kExitNotExecutable);
    }
    return name;
  }
  const std::string path = environment("PATH").value_or(kDefaultPath);
  std::string not_executable;
  if (const auto found = find_in_path(name, path, not_executable)) { return *found; }
  if (!not_executable.empty()) {
    throw Error(str_cat("cannot run ", name, ": ", not_executable, " is not executable"),
                "Make it executable with chmod +x.", kExitNotExecutable);
  }
  std::string hint = advice;
  if (is_regular_file(name)) { hint = str_cat("There is a file of that name in this folder: write ./", name, "."); }
  throw Error(str_cat("cannot run ", name, ": no such program in PATH (", path, ")"), hint, kExitNotFound);
}

namespace {

std::string find_python(const Environment& environment, std::string& argv0) {
  const auto chosen = environment("PYTHON_EXEC");
  if (chosen && !chosen->empty()) {
    argv0 = *chosen;
    return find_program(*chosen, environment, "The environment variable PYTHON_EXEC names it; correct or unset it.");
  }
  const std::string path = environment("PATH").value_or(kDefaultPath);
  std::string ignored;
  for (const char* name : {"python3", "python"}) {
    if (const auto found = find_in_path(name, path, ignored)) {
      argv0 = *found;
      return *found;
    }
  }
  throw Error("no python3 or python in PATH to run the script with",
              "Activate the virtual environment, set PYTHON_EXEC, or use --no-python for a program that needs none.",
              kExitNotFound);
}

/// An interpreter that is not there would make the exec fail with "No such file or directory", as if the program were
/// not.
void check_interpreter(const std::string& name, const std::string& file, const Environment& environment) {
  const auto obstacle = machine::start_obstacle(file, environment("PATH").value_or(kDefaultPath));
  if (obstacle) { throw Error(str_cat("cannot run ", name, ": ", obstacle->problem), obstacle->advice, kExitNotFound); }
}

/// Throws where python cannot run the script; returns what to say if it fails with it.
std::string check_script(const std::string& name) {
  machine::refuse_compiled_script(name);
  const auto file = machine::look_at_program(name);
  if (!file || !file->names_another_interpreter()) { return {}; }
  return str_cat("python ran ", name, ", whose first line names ", trimmed(file->interpreter),
                 ": if it is not a Python script, put --no-python before it");
}

/// Where the command line begins with a word that is no program at all, it may have been meant for a command.
void refuse_misspelt_command(const LaunchOptions& options, const Environment& environment) {
  if (!options.first_word_is_program || options.module) { return; }
  const std::string suggestion = command_suggestion(options.program);
  std::string not_executable;
  if (suggestion.empty() || std::filesystem::exists(options.program) ||
      find_in_path(options.program, environment("PATH").value_or(kDefaultPath), not_executable)) {
    return;
  }
  throw Error(str_cat("cannot run ", options.program, ": there is no such file, and no such program in PATH"),
              suggestion + "mdl-launch --help lists the commands.", kExitNotFound);
}

}  // namespace

LaunchCommand make_launch_command(const LaunchOptions& options, const Environment& environment) {
  refuse_misspelt_command(options, environment);
  LaunchCommand command;
  command.display_name = options.program;
  if (options.no_python && !options.run_path) {
    command.executable = find_program(options.program, environment, "Check the name after --no-python.",
                                      "for a Python script, leave out --no-python");
    check_interpreter(options.program, command.executable, environment);
    command.argv = {options.program};
    command.entry_point = options.program;
  } else {
    std::string python;
    command.executable = find_python(environment, python);
    check_interpreter(python, command.executable, environment);
    command.argv = {python, "-u"};
    command.entry_point = options.run_path ? "run_script_path" : python;
    if (options.module && !options.run_path) {
      command.argv.push_back("-m");
    } else if (std::error_code error; !std::filesystem::exists(options.program, error)) {
      throw Error(str_cat("cannot run the script ", options.program, ": no such file"),
                  "Check its path. For a program that is not Python, use --no-python; for a module, --module.",
                  kExitNotFound);
    } else {
      command.hint = check_script(options.program);
    }
    if (options.run_path) { command.argv.insert(command.argv.end(), {"-c", kRunPath}); }
    command.argv.push_back(options.program);
  }
  command.argv.insert(command.argv.end(), options.program_args.begin(), options.program_args.end());
  return command;
}

std::string short_name(const LaunchCommand& command) {
  return std::filesystem::path(command.display_name).filename().string();
}

std::vector<std::string> argv_of_worker(const LaunchCommand& command, int local_rank) {
  std::vector<std::string> argv = command.argv;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    argv[i] = substitute_template(argv[i], {{"local_rank", std::to_string(local_rank)}});
  }
  return argv;
}

}  // namespace mdl::launcher::command_line

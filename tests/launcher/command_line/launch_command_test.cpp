#include "launcher/command_line/launch_command.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using Words = std::vector<std::string>;

namespace {

struct Folder {
  mdl::test::TempDir dir;
  std::map<std::string, std::string> variables{{"PATH", dir.path().string()}};

  std::string add(const std::string& name, mode_t mode) {
    std::string path = dir.path() / name;
    std::ofstream(path) << "#!/bin/sh\n";
    ::chmod(path.c_str(), mode);
    return path;
  }
  LaunchCommand command(const LaunchOptions& options) {
    return make_launch_command(options, [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
    });
  }
  int exit_code(const LaunchOptions& options) {
    try {
      command(options);
    } catch (const mdl::Error& error) { return error.exit_code(); }
    return 0;
  }
};

LaunchOptions run(const std::string& program, bool no_python) {
  LaunchOptions options;
  options.program = program;
  options.no_python = no_python;
  options.program_args = {"--rank", "${local_rank}"};
  return options;
}

}  // namespace

TEST_CASE("a script is run by python3 -u, a module with -m, a program as it is") {
  Folder folder;
  const std::string python = folder.add("python3", 0755);
  const std::string script = folder.add("train.py", 0644);
  const std::string tool = folder.add("tool", 0755);

  CHECK(folder.command(run(script, false)).argv == Words{python, "-u", script, "--rank", "${local_rank}"});
  LaunchOptions module = run("pkg.train", false);
  module.module = true;
  CHECK(folder.command(module).argv == Words{python, "-u", "-m", "pkg.train", "--rank", "${local_rank}"});
  const LaunchCommand command = folder.command(run("tool", true));
  CHECK(command.executable == tool);
  CHECK(argv_of_worker(command, 5) == Words{"tool", "--rank", "5"});
}

TEST_CASE("a compiled program is not handed to python, and a shell's script leaves a hint for when python fails") {
  Folder folder;
  folder.add("python3", 0755);
  CHECK_THROWS_WITH(folder.command(run("/proc/self/exe", false)),
                    Catch::Contains("compiled program") && Catch::Contains("--no-python"));
  CHECK(folder.exit_code(run("/proc/self/exe", false)) == 2);
  CHECK(folder.exit_code(run("/proc/self/exe", true)) == 0);
  const std::string shell_script = folder.add("train", 0755);
  const std::string hint = folder.command(run(shell_script, false)).hint;
  CHECK_THAT(hint, Catch::Contains("names /bin/sh") && Catch::Contains("--no-python"));
  CHECK(folder.command(run(shell_script, true)).hint.empty());
}

TEST_CASE("a program whose interpreter is not there is not found, and that is said of the interpreter") {
  Folder folder;
  const std::string script = folder.add("tool", 0755);
  std::ofstream(script) << "#!/no/such/python\n";
  CHECK(folder.exit_code(run("tool", true)) == 127);
  CHECK_THROWS_WITH(folder.command(run("tool", true)),
                    Catch::Contains("cannot run tool") && Catch::Contains("/no/such/python"));
}

TEST_CASE("PYTHON_EXEC chooses the interpreter") {
  Folder folder;
  folder.add("python3", 0755);
  const std::string other = folder.add("other-python", 0755);
  const std::string script = folder.add("train.py", 0644);
  folder.variables["PYTHON_EXEC"] = other;
  CHECK(folder.command(run(script, false)).executable == other);
  folder.variables["PYTHON_EXEC"] = other + "-gone";
  CHECK(folder.exit_code(run(script, false)) == 127);
}

TEST_CASE("what cannot be run is found out before anything starts: 127 not found, 126 not executable") {
  Folder folder;
  const std::string plain = folder.add("plain", 0644);
  CHECK(folder.exit_code(run("nonesuch", true)) == 127);
  CHECK(folder.exit_code(run(plain + "-gone", true)) == 127);
  CHECK(folder.exit_code(run("gone.py", false)) == 127);
  CHECK(folder.exit_code(run(folder.dir.path(), true)) == 126);
  CHECK(folder.exit_code(run(plain, true)) == 126);
  CHECK(folder.exit_code(run("plain", true)) == 126);
}

TEST_CASE("a first word that is no program but almost a command is taken for a typing error") {
  Folder folder;
  LaunchOptions options = run("luanch", false);
  CHECK_THROWS_WITH(folder.command(options), !Catch::Contains("Did you mean"));  // an option stood before it
  options.first_word_is_program = true;
  CHECK_THROWS_WITH(folder.command(options),  // also where there is no python
                    Catch::Contains("cannot run luanch") && Catch::Contains("Did you mean launch?"));
  CHECK(folder.exit_code(options) == 127);
  folder.add("luanch", 0755);
  CHECK_THROWS_WITH(folder.command(options), !Catch::Contains("Did you mean"));
  options.program = folder.dir.path() / "luanch";
  folder.add("python3", 0755);
  CHECK(folder.command(options).argv.at(2) == options.program);
}

#include "launcher/accelerate/accelerate_command.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <map>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/paragraph.hpp"
#include "common/trimmed.hpp"
#include "launcher/accelerate/config_command.hpp"
#include "launcher/accelerate/doctor_command.hpp"
#include "launcher/accelerate/doctor_options.hpp"
#include "launcher/accelerate/env_command.hpp"
#include "launcher/accelerate/find_config.hpp"
#include "launcher/accelerate/launch_options.hpp"
#include "launcher/doctor/preflight.hpp"
#include "launcher/machine/program_file.hpp"

namespace mdl::launcher::accelerate {
namespace {

using Arguments = std::vector<std::string>;

std::string python_of(const machine::Environment& environment) {
  auto variable = environment.find("PYTHON_EXEC");
  return variable == environment.end() ? "python3" : variable->second;
}

/// Becomes the program. Comes back only by throwing.
[[noreturn]] void become(const Arguments& command) {
  std::vector<char*> pointers;
  for (const std::string& word : command) { pointers.push_back(const_cast<char*>(word.c_str())); }
  pointers.push_back(nullptr);
  std::cout.flush();
  ::execvp(pointers[0], pointers.data());
  const int error = errno;
  if (command[0].find('/') != std::string::npos) {
    const char* path = ::getenv("PATH");
    const auto obstacle = machine::start_obstacle(command[0], path ? path : "");
    if (obstacle) { throw Error("cannot run " + command[0] + ": " + obstacle->problem, obstacle->advice, 127); }
  }
  // Exit codes as a shell's: not found, or found and not executable.
  throw Error(describe_errno("cannot run", command[0], error),
              "Check the path. A program that is no Python script needs --no-python before it.",
              error == ENOENT ? 127 : 126);
}

Outcome launch(const Arguments& arguments, const machine::MachineFacts& facts) {
  LaunchOptions options = parse_launch_options(arguments);
  if (options.help) {
    std::cout << help_text(launch_help(), output_width());
    return {};
  }
  auto config = find_config(options, facts.environment);
  LaunchPlan plan = resolve_plan(options, config ? &*config : nullptr, facts);
  if (options.dry_run) {
    std::cout << plan.to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return {};
  }
  if (options.program.empty() || options.program.front().empty()) {
    throw UsageError("no program to start is named", "Usage: mdl-launch launch [options] PROGRAM [arguments]");
  }
  for (const std::string& warning : plan.warnings) { log::warning(warning); }
  if (!plan.problems.empty()) { throw plan.problems.front(); }
  doctor::warn_beforehand(job_spec_of(plan, config ? config->use_cpu : options.cpu));
  for (const auto& [name, value] : plan.environment) { ::setenv(name.c_str(), value.c_str(), 1); }
  const std::string& program = options.program.front();
  if (!options.no_python && !options.module) { machine::refuse_compiled_script(program); }
  if (plan.kind == LaunchPlan::Kind::simple) {
    const auto file = machine::look_at_program(program);
    if (!options.no_python && !options.module && file && file->names_another_interpreter()) {
      log::warning("python runs ", program, ", whose first line names ", trimmed(file->interpreter),
                   ": if it is not a Python script, put --no-python before it");
    }
    become(plan.simple_command(python_of(facts.environment)));
  }
  return {0, plan.launcher_arguments()};
}

using Runner = std::function<Outcome(const Arguments&, const machine::MachineFacts&)>;

/// What runs the words behind a command's name.
const std::map<std::string, Runner>& runners() {
  const auto ended = [](int (*command)(const Arguments&, const machine::MachineFacts&)) {
    return [command](const Arguments& rest, const machine::MachineFacts& facts) {
      return Outcome{command(rest, facts), std::nullopt};
    };
  };
  static const std::map<std::string, Runner> all{{"launch", launch},
                                                 {"config", ended(config_command)},
                                                 {"env", ended(env_command)},
                                                 {"doctor", ended(doctor_command)}};
  return all;
}

}  // namespace

bool is_accelerate_command(const Arguments& args) {
  return (!args.empty() && runners().contains(args[0])) || names_config_file(args);
}

Outcome run_command(const Arguments& args, const machine::MachineFacts& facts) {
  const auto runner = runners().find(args[0]);
  if (runner == runners().end()) { return launch(args, facts); }
  return runner->second({args.begin() + 1, args.end()}, facts);
}

}  // namespace mdl::launcher::accelerate

#include "launcher/accelerate/env_command.hpp"

#include <gnu/libc-version.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "launcher/accelerate/config_command.hpp"
#include "launcher/accelerate/default_config_file.hpp"
#include "launcher/accelerate/launch_option_table.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/doctor/probe.hpp"

namespace mdl::launcher::accelerate {
namespace {

/// Variables that change how a launch or its workers behave.
bool steers_a_launch(const std::string& name) {
  for (const char* prefix :
       {"ACCELERATE_", "CUDA_", "FI_", "GLOO_", "HF_", "LOGLEVEL", "MASTER_", "NCCL_", "OMP_", "PET_", "SLURM_",
        "TORCH", "UCX_", "JOB_COMPLETION_INDEX", "LD_LIBRARY_PATH", "PYTHON_EXEC", "XDG_CACHE_HOME"}) {
    if (name.starts_with(prefix)) { return true; }
  }
  return false;
}

bool is_secret(const std::string& name) {
  for (const char* word : {"TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL"}) {
    if (name.find(word) != std::string::npos) { return true; }
  }
  return false;
}

std::string or_none(const std::string& text) {
  return text.empty() ? "not found" : text;
}

std::string distribution() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("PRETTY_NAME=\"")) { return line.substr(13, line.size() - 14); }
  }
  return "unknown Linux";
}

std::string memory() {
  struct sysinfo info{};
  if (::sysinfo(&info) != 0) { return "unknown"; }
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << static_cast<double>(info.totalram) * info.mem_unit / (1 << 30) << " GB";
  return text.str();
}

/// mdl-toolkit beside this program, as both are installed together, by the name that is its own where it has that; else
/// the one in PATH.
std::string worker_path() {
  std::error_code failure;
  auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  for (const char* name : {"mdl-toolkit-native", "mdl-toolkit"}) {
    const auto beside = self.parent_path() / name;
    if (!failure && std::filesystem::exists(beside, failure)) { return beside.string(); }
  }
  return "mdl-toolkit";
}

const command_line::OptionTable& env_option_table() {
  static const command_line::OptionTable table(
      "mdl-launch env",
      {{"Options",
        {{"config-file", "PATH", "the configuration to print (default: the one that mdl-launch launch would use)"},
         {"help", "", "print this text and exit", 'h'}}}},
      {launch_option_table, config_option_table});
  return table;
}

std::filesystem::path config_path(const command_line::ParsedArguments& arguments,
                                  const machine::Environment& environment) {
  const command_line::GivenOption* given = arguments.find("config-file");
  if (!given) { return default_config_file(environment); }
  if (!std::filesystem::exists(given->value)) { throw UsageError("there is no configuration file " + given->value); }
  return given->value;
}

}  // namespace

const command_line::CommandHelp& env_help() {
  static const command_line::CommandHelp help{.name = "env",
                                              .usage = "Usage: mdl-launch env [--config-file PATH]\n",
                                              .description = "Prints what a bug report needs.",
                                              .options = &env_option_table()};
  return help;
}

int env_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts) {
  const auto parsed = command_line::parse_options_only(arguments, env_option_table());
  if (parsed.find("help")) {
    std::cout << help_text(env_help(), output_width());
    return 0;
  }
  const auto config = config_path(parsed, facts.environment);
  doctor::JobSpec worker;
  worker.no_python = true;
  worker.program = {worker_path()};
  doctor::NodeFacts node = doctor::observe_node(worker, facts);
  utsname system{};
  ::uname(&system);
  std::cout << "Copy this into your report:\n\n"
            << "- mdl-launch version: " << version() << "\n"
            << "- Platform: " << system.sysname << " " << system.release << " " << system.machine << ", "
            << distribution() << ", glibc " << ::gnu_get_libc_version() << "\n"
            << "- mdl-toolkit: " << (node.program.empty() ? node.program_error : node.program) << "\n"
            << "- LibTorch version: " << or_none(node.libtorch_version) << "\n"
            << "- NCCL version: " << or_none(node.nccl_version) << "\n"
            << "- CPUs: " << node.cores << " usable, " << facts.physical_cores() << " cores\n"
            << "- System RAM: " << memory() << "\n"
            << "- /dev/shm: " << (node.shared_memory_bytes >> 20) << " MiB; open files: " << node.open_files << "\n"
            << "- GPUs: " << node.gpus << (node.gpu_names.empty() ? "" : " (" + node.gpu_names[0] + ")") << "; driver "
            << or_none(node.driver_version) << "\n";
  std::cout << "- Network:";
  for (const doctor::InterfaceFacts& interface : node.interfaces) {
    std::cout << " " << interface.name << "=" << interface.address;
  }
  std::cout << "\n- Variables:\n";
  for (const auto& [name, value] : facts.environment) {
    if (steers_a_launch(name)) { std::cout << "\t" << name << "=" << (is_secret(name) ? "(left out)" : value) << "\n"; }
  }
  std::cout << "- Configuration " << config.string() << ":\n";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(config, ignored)) {
    std::cout << "\tnot found\n";
    return 0;
  }
  std::istringstream lines(read_text(config));
  for (std::string line; std::getline(lines, line);) { std::cout << "\t" << line << "\n"; }
  return 0;
}

}  // namespace mdl::launcher::accelerate

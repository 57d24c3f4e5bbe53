#include "launcher/accelerate/config_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/config_wizard.hpp"
#include "launcher/accelerate/default_config_path.hpp"

namespace mdl::launcher::accelerate {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp = R"(Usage: mdl-launch config [--config-file PATH] [--lang en|zh]
       mdl-launch config default [--config-file PATH] [--mixed-precision no|fp16|bf16]

Asks for the set-up of a training and writes a file that `mdl-launch launch`, `mdl-launch --config-file` and Python's accelerate read.
`default` asks nothing: all GPUs of this machine, or one process on the CPU. Without --config-file the file is
$HF_HOME/accelerate/default_config.yaml (HF_HOME is ~/.cache/huggingface when not set).
)";

struct ConfigOptions {
  bool write_default = false;
  bool help = false;
  std::string config_file;
  std::string mixed_precision = "no";
  std::string language;
};

ConfigOptions parse(const std::vector<std::string>& arguments) {
  ConfigOptions options;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    if (word == "default" && at == 0) {
      options.write_default = true;
      continue;
    }
    if (word == "update") {
      throw UsageError(
          "config update: mdl-launch reads the files of all accelerate versions and needs no update of them",
          "To change a file, edit it or run mdl-launch config again.");
    }
    if (word == "-h" || word == "--help") {
      options.help = true;
      continue;
    }
    size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    std::replace(name.begin(), name.end(), '_', '-');
    std::string* target = name == "--config-file"                                ? &options.config_file
                          : name == "--lang"                                     ? &options.language
                          : name == "--mixed-precision" && options.write_default ? &options.mixed_precision
                                                                                 : nullptr;
    if (!target) {
      throw UsageError("config: unknown option or word " + word, "mdl-launch config --help lists the options.");
    }
    if (equals == std::string::npos && at + 1 >= arguments.size()) {
      throw UsageError("config: the value of " + word + " is missing");
    }
    *target = equals == std::string::npos ? arguments[++at] : word.substr(equals + 1);
  }
  const auto& precision = options.mixed_precision;
  if (precision != "no" && precision != "fp16" && precision != "bf16") {
    throw UsageError("--mixed-precision: \"" + precision + "\" is not one of no, fp16, bf16");
  }
  return options;
}

/// Finds out now what would otherwise fail after all questions are answered.
void require_writable(const fs::path& path) {
  fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code failure;
  if (fs::is_directory(path, failure)) { throw UsageError(path.string() + " is a folder", "Give the name of a file."); }
  if (!fs::is_directory(folder, failure)) {
    throw UsageError("there is no folder " + folder.string(), "Make it first, or give another path.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw UsageError(describe_errno("write in", folder.string(), errno), "Give another path.");
  }
}

}  // namespace

int config_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts) {
  ConfigOptions options = parse(arguments);
  if (options.help) {
    std::cout << kHelp;
    return 0;
  }
  Language language = choose_language(options.language, facts.environment);
  fs::path path = options.config_file;
  if (path.empty()) {
    path = default_config_path(facts.environment);
    std::error_code failure;
    fs::create_directories(path.parent_path(), failure);
  }
  require_writable(path);
  if (options.write_default) {
    if (fs::exists(path)) {
      std::cout << path.string()
                << " exists already and is left as it is. Run mdl-launch config, or give --config-file another path.\n";
      return 0;
    }
    write_config(default_configuration(options.mixed_precision, facts.gpu_count()), path);
  } else {
    bool terminal = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
    auto say = [language](Text text) { return std::string(text_of(text, language)); };
    auto prompter = make_prompter(STDIN_FILENO, std::cout, terminal,
                                  {say(Text::menu_hint), say(Text::bad_choice), say(Text::input_ended)});
    ConfigContent content = ask_configuration(*prompter, language, facts.gpu_count());
    bool replaces = fs::exists(path);
    write_config(content, path);
    std::cout << say(Text::result) << to_yaml(content) << "\n";
    if (replaces) { std::cout << say(Text::old_kept) << path.string() << ".old\n"; }
  }
  std::cout << text_of(Text::saved, language) << path.string() << "\n";
  return 0;
}

}  // namespace mdl::launcher::accelerate

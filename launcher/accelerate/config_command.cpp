#include "launcher/accelerate/config_command.hpp"

#include <unistd.h>

#include <iostream>

#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "launcher/accelerate/config_wizard.hpp"
#include "launcher/accelerate/default_config_file.hpp"
#include "launcher/accelerate/launch_option_table.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/option_value.hpp"

namespace mdl::launcher::accelerate {
namespace {

namespace fs = std::filesystem;

struct ConfigOptions {
  bool write_default = false;
  bool help = false;
  std::optional<std::string> config_file;  ///< else the default file
  std::string mixed_precision = "no";
  std::optional<std::string> language;
};

ConfigOptions parse(std::vector<std::string> arguments) {
  ConfigOptions options;
  const std::size_t word = parse_arguments(arguments, config_option_table()).program_begin;
  if (word < arguments.size() && arguments[word] == "update") {
    throw UsageError("config update: mdl-launch reads the files of all accelerate versions and needs no update of them",
                     "To change a file, edit it or run mdl-launch config again.");
  }
  if (word < arguments.size() && arguments[word] == "default") {
    options.write_default = true;
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(word));
  }
  const auto parsed = parse_options_only(arguments, config_option_table(), {"default", "update"});
  options.help = parsed.find("help");
  if (const auto* given = parsed.find("config-file"); given && !given->value.empty()) {
    options.config_file = given->value;
  }
  if (const auto* given = parsed.find("lang")) { options.language = given->value; }
  if (const auto* given = parsed.find("mixed-precision")) {
    if (!options.write_default) {
      throw UsageError("--mixed-precision is for mdl-launch config default", "Without `default` it is asked for.");
    }
    command_line::check_choice({"--mixed-precision", given->value}, given->option->known_values());
    options.mixed_precision = given->value;
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

const command_line::OptionTable& config_option_table() {
  static const command_line::OptionTable table(
      "mdl-launch config",
      {{"Options",
        {{"config-file", "PATH",
          "the file to write (default $HF_HOME/accelerate/default_config.yaml; HF_HOME is ~/.cache/huggingface when "
          "not set)"},
         {"lang", "en|zh", "the language of the questions (default: that of LC_ALL, LC_MESSAGES or LANG)"},
         {"mixed-precision", "no|fp16|bf16", "with `default`: the mixed precision to write (default no)"},
         {"help", "", "print this text and exit", 'h'}}}},
      {launch_option_table});
  return table;
}

const command_line::CommandHelp& config_help() {
  static const command_line::CommandHelp help{
      .name = "config",
      .usage =
          "Usage: mdl-launch config [--config-file PATH] [--lang en|zh]\n"
          "       mdl-launch config default [--config-file PATH]\n"
          "                                 [--mixed-precision no|fp16|bf16]\n",
      .description =
          "Asks for the set-up of a training and writes a file that `mdl-launch launch`, `mdl-launch --config-file` "
          "and Python's accelerate read. `default` asks nothing: all GPUs of this machine, or one process on the "
          "CPU.",
      .options = &config_option_table(),
      .words = {"default"},
  };
  return help;
}

int config_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts) {
  ConfigOptions options = parse(arguments);
  if (options.help) {
    std::cout << help_text(config_help(), output_width());
    return 0;
  }
  Language language = choose_language(options.language, facts.environment);
  const fs::path path = options.config_file ? fs::path(*options.config_file) : default_config_file(facts.environment);
  if (!options.config_file) {
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

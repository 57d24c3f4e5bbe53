// mdl-toolkit: what needs no LibTorch is done here, the rest by mdl-toolkit-model.
#include <csignal>
#include <iostream>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/nearest_name.hpp"
#include "common/paragraph.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/convert/convert_command.hpp"
#include "worker/hub/download_command.hpp"
#include "worker/info/info_command.hpp"
#include "worker/model_program.hpp"
#include "worker/process/failure_report.hpp"

namespace {

std::string help() {
  const std::vector<mdl::HelpRow> commands = {
      {"train", "train a LoRA adapter, alone or as one of the workers of mdl-launch or torchrun"},
      {"convert-dataset", "turn a CSV file of sounds and texts into a dataset folder"},
      {"info", "tell what a model's, adapter's or dataset's folder holds"},
      {"inference", "answer the rows of a CSV file of sounds"},
      {"download", "bring a model from Hugging Face or ModelScope into the local cache"},
  };
  const std::vector<mdl::HelpRow> options = {
      {"--help, -h", "this text; `mdl-toolkit COMMAND --help` for a command's options"},
      {"--version", "the version"},
  };
  const std::size_t width = mdl::output_width();
  return mdl::str_cat("usage: mdl-toolkit COMMAND [options]\n\n",
                      "LoRA fine-tuning of MiDashengLM audio-language models.\n\n", "Commands:\n",
                      help_rows(commands, text_column(commands), width), "\nOptions:\n",
                      help_rows(options, text_column(options), width));
}

const std::vector<std::string> kCommands = {"train", "convert-dataset", "inference", "info", "download"};
const std::vector<std::string> kOptions = {"--help", "--version"};

int run(const std::vector<std::string>& arguments, char** argv) {
  if (arguments.empty()) { throw mdl::UsageError("no command given", "Try: mdl-toolkit --help"); }
  const std::string& command = arguments.front();
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (command == "--help" || command == "-h") {
    std::cout << help();
    return 0;
  }
  if (command == "--version") {
    std::cout << "mdl-toolkit " << mdl::version() << '\n';
    return 0;
  }
  if (command == "train" || command == "inference") { mdl::worker::become_model_program(argv); }
  if (command == "convert-dataset") { return mdl::worker::convert::convert_command(rest); }
  if (command == "info") {
    return mdl::worker::info::info_command(rest, [&](const std::filesystem::path& folder) -> int {
      std::string name = mdl::worker::kTellTrainable, path = folder.string();
      std::vector<char*> command_line = {argv[0], name.data(), path.data(), nullptr};
      mdl::worker::become_model_program(command_line.data());
    });
  }
  if (command == "download") { return mdl::worker::hub::download_command(rest); }
  if (command.starts_with('-')) {
    throw mdl::UsageError(mdl::str_cat("unknown option ", command),
                          mdl::did_you_mean(command, kOptions) + "Try: mdl-toolkit --help");
  }
  throw mdl::UsageError(mdl::str_cat("unknown command \"", command, "\""),
                        mdl::did_you_mean(command, kCommands) + "The commands are: " + mdl::joined(kCommands) + ".");
}

}  // namespace

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::log::set_program("mdl-toolkit");
  // A file that grows beyond the limit set for it is then an error of the write that can be told, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);  // what has been done is worth more than telling of it to a reader that has gone
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc), argv);
  } catch (const mdl::Error& error) {
    return mdl::worker::process::report_failure(error.what(), error.exit_code());
  } catch (const std::exception& error) {
    return mdl::worker::process::report_failure(mdl::describe_exception(error), mdl::kExitFailure);
  }
}

// mdl-toolkit: finds the libraries of the program that does what a subcommand asks for, and turns into it.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/nearest_name.hpp"
#include "common/paragraph.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/libraries/built_for.hpp"
#include "worker/libraries/hand_over.hpp"
#include "worker/libraries/model_program.hpp"
#include "worker/libraries/program_folder.hpp"
#include "worker/libraries/program_libraries.hpp"
#include "worker/process/failure_report.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/programs.hpp"

namespace {

namespace fs = std::filesystem;

constexpr const char* kTellLibraries = "--libraries";

std::string help() {
  const std::vector<mdl::HelpRow> commands = {
      {"train", "train a LoRA adapter, alone or as one of the workers of mdl-launch or torchrun"},
      {"convert-dataset", "turn a CSV, TSV or JSONL file of sounds and texts into a dataset folder"},
      {"plan", "tell how much memory a training takes, before it starts"},
      {"info", "tell what a model's, adapter's or dataset's folder holds"},
      {"inference", "answer the rows of a file of sounds"},
      {"evaluate", "measure a model's answers: accuracy, error rates, loss"},
      {"merge", "merge a LoRA adapter into the weights of its model"},
      {"health", "measure how fast this machine computes, alone or with the other ranks"},
      {"report", "write a page with the curves of one run, or of several in one picture"},
      {"download", "bring a model from Hugging Face or ModelScope into the local cache"},
  };
  const std::vector<mdl::HelpRow> options = {
      {"--help, -h", "this text; `mdl-toolkit COMMAND --help` for a command's options"},
      {"--version", "the version"},
      {"--libraries [COMMAND]",
       "as JSON: the LibTorch and Arrow that COMMAND (train) takes, or what is wrong with them"},
  };
  const std::size_t width = mdl::output_width();
  return mdl::str_cat("usage: mdl-toolkit COMMAND [options]\n\n",
                      "LoRA fine-tuning of MiDashengLM audio-language models.\n\n", "Commands:\n",
                      help_rows(commands, text_column(commands), width), "\nOptions:\n",
                      help_rows(options, text_column(options), width));
}

const std::vector<std::string> kCommands = {"train", "convert-dataset", "inference", "evaluate", "merge",
                                            "info",  "report",          "download",  "plan",     "health"};
const std::vector<std::string> kOptions = {"--help", "--version", kTellLibraries};

bool computes(const std::string& command) {
  return command == "train" || command == "inference" || command == "evaluate" || command == "merge" ||
         command == "plan" || command == "health" || command == mdl::worker::kTellTrainable;
}

bool is_command(const std::string& word) {
  return computes(word) || std::find(kCommands.begin(), kCommands.end(), word) != kCommands.end();
}

fs::path own_folder() {
  return fs::read_symlink("/proc/self/exe").parent_path();
}

/// What a command turns this process into.
struct Successor {
  fs::path program;
  bool with_torch;
  mdl::worker::libraries::LibrarySearch search;
};

Successor successor_for(const std::string& command) {
  namespace libraries = mdl::worker::libraries;
  const fs::path own = own_folder();
  const bool with_torch = computes(command);
  const auto [name, built] = with_torch ? libraries::model_program_here()
                                        : libraries::ModelProgram{mdl::worker::kDataProgram, libraries::built_for()};
  return {
      libraries::program_folder(own, name) / name, with_torch, {own, mdl::worker::process::lookup_environment, built}};
}

void require_command(const std::string& word) {
  if (is_command(word)) { return; }
  if (word.starts_with('-')) {
    throw mdl::UsageError(mdl::str_cat("unknown option ", word),
                          mdl::did_you_mean(word, kOptions) + "Try: mdl-toolkit --help");
  }
  throw mdl::UsageError(mdl::str_cat("unknown command \"", word, "\""),
                        mdl::did_you_mean(word, kCommands) + "The commands are: " + mdl::joined(kCommands) + ".");
}

/// Python's mdl-toolkit has a command of this name, too, and in one environment the last installed has it.
void warn_of_namesake() {
  const fs::path self = fs::read_symlink("/proc/self/exe");
  if (self.filename() != mdl::worker::kOwnName) { return; }
  const fs::path namesake = self.parent_path() / mdl::worker::kFrontProgram;
  std::error_code ignored;
  if (!fs::is_regular_file(namesake, ignored)) { return; }  // a pipe would never answer
  std::ifstream file(namesake, std::ios::binary);
  char begin[2] = {};
  if (file.read(begin, sizeof begin) && std::string(begin, sizeof begin) == "#!") {
    mdl::log::warning(namesake.string(), " is not this program but a script, as Python's mdl-toolkit has one. Start ",
                      mdl::worker::kOwnName, ", or bring the name back: ", mdl::worker::libraries::kReinstall);
  }
}

int run(const std::vector<std::string>& arguments, char** argv) {
  if (arguments.empty()) { throw mdl::UsageError("no command given", "Try: mdl-toolkit --help"); }
  const std::string& command = arguments.front();
  if (command == "--help" || command == "-h") {
    std::cout << help();
    return 0;
  }
  if (command == "--version") {
    std::cout << "mdl-toolkit " << mdl::version() << " ("
              << (*mdl::commit() ? mdl::str_cat("commit ", mdl::commit(), ", ") : "") << "built for LibTorch "
              << mdl::worker::libraries::built_for().torch << ")\n";
    warn_of_namesake();
    return 0;
  }
  if (command == kTellLibraries) {
    const std::string of = arguments.size() > 1 ? arguments[1] : "train";
    require_command(of);
    const Successor next = successor_for(of);
    std::cout << describe_libraries(next.program, next.with_torch, next.search).dump(2) << '\n';
    return 0;
  }
  require_command(command);
  const Successor next = successor_for(command);
  const auto found = find_libraries(next.program, next.with_torch, next.search);
  mdl::worker::libraries::hand_over(found.program, found.folders, argv);
}

}  // namespace

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::log::set_program("mdl-toolkit");
  // A file that grows beyond the limit set for it is then an error of the write that can be told, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);  // what has been done is worth more than telling of it to a reader that has gone
  return mdl::worker::process::run_reporting(
      [&] { return run(std::vector<std::string>(argv + 1, argv + argc), argv); });
}

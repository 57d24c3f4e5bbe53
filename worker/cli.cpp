#include "worker/cli.hpp"

#include <c10/util/Exception.h>

#include <csignal>
#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/convert_command.hpp"
#include "worker/error_file.hpp"
#include "worker/inference_command.hpp"
#include "worker/info/info_command.hpp"
#include "worker/nearest_name.hpp"
#include "worker/train_command.hpp"
#include "worker/training/stop_signal.hpp"
#include "worker/training/worker_environment.hpp"

namespace mdl {
namespace {

constexpr const char* kHelp =
    R"(usage: mdl-toolkit COMMAND [options]

LoRA fine-tuning of MiDashengLM audio-language models.

Commands:
  train             train a LoRA adapter, alone or as one of the workers of mdl-launch or torchrun
  convert-dataset   turn a CSV file of sounds and texts into a dataset folder
  info              tell what a model's, adapter's or dataset's folder holds
  inference         answer the rows of a CSV file of sounds

Options:
  --help, -h        this text; `mdl-toolkit COMMAND --help` for a command's options
  --version         the version
)";

const std::vector<std::string> kCommands = {"train", "convert-dataset", "inference", "info"};

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw UsageError("no command given", "Try: mdl-toolkit --help");
  const std::string& command = arguments.front();
  if (command == "--help" || command == "-h") {
    std::cout << kHelp;
    return 0;
  }
  if (command == "--version") {
    std::cout << "mdl-toolkit " << MDL_VERSION << '\n';
    return 0;
  }
  if (command == "train") return run_train({arguments.begin() + 1, arguments.end()});
  if (command == "convert-dataset") return convert_command({arguments.begin() + 1, arguments.end()});
  if (command == "inference") return run_inference({arguments.begin() + 1, arguments.end()});
  if (command == "info") return info_command({arguments.begin() + 1, arguments.end()});
  const std::string nearest = nearest_name(command, kCommands);
  throw UsageError(str_cat("unknown command \"", command, "\""),
                   nearest.empty() ? "The commands are: train, convert-dataset, inference, info."
                                   : str_cat("Did you mean ", nearest, "?"));
}

/// One write, so that the messages of several ranks do not mix.
int report(const std::string& message, int exit_code) {
  const auto rank = lookup_environment("RANK");
  std::cout << std::flush;
  std::cerr << str_cat("mdl-toolkit: error: ", rank ? str_cat("rank ", *rank, ": ") : "", message, "\n") << std::flush;
  write_error_file(message);
  return exit_code;
}

}  // namespace

int run_toolkit(const std::vector<std::string>& arguments) {
  // A file that grows beyond the limit set for it is then an error of the write that can be told, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return dispatch(arguments);
  } catch (const StoppedBySignal& stop) {
    std::cout << std::flush;
    std::signal(stop.signal, SIG_DFL);
    std::raise(stop.signal);
    return 128 + stop.signal;  // only where the signal is blocked
  } catch (const Error& error) {
    return report(error.what(), error.exit_code());
  } catch (const c10::OutOfMemoryError& error) {
    return report(str_cat("out of memory: ", error.what_without_backtrace(), "\n  A smaller --batch-size needs less; ",
                          "--gradient-accumulation-steps keeps the number of clips in a step."),
                  kExitFailure);
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    return report(error.what_without_backtrace(), kExitFailure);
  } catch (const std::exception& error) {
    return report(error.what(), kExitFailure);
  }
}

}  // namespace mdl

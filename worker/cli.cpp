#include "worker/cli.hpp"

#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

constexpr const char* kHelp =
    R"(usage: mdl-toolkit COMMAND [options]

LoRA fine-tuning of MiDashengLM audio-language models.

Commands:
  train             train a LoRA adapter, alone or as one of the workers of mdl-launch or torchrun
  convert-dataset   not yet supported
  inference         not yet supported
  info              not yet supported

Options:
  --help, -h        this text; `mdl-toolkit COMMAND --help` for a command's options
  --version         the version
)";

}  // namespace

int run_toolkit(const std::vector<std::string>& arguments) {
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
  for (const char* later : {"train", "convert-dataset", "inference", "info"}) {
    if (command == later) throw UsageError(str_cat("mdl-toolkit ", later, " is not yet supported"));
  }
  throw UsageError(str_cat("unknown command \"", command, "\""),
                   "The commands are: train, convert-dataset, inference, info.");
}

}  // namespace mdl

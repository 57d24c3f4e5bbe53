// A configuration file of mdl-toolkit's, and the one that is printed of its options.
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/cli/config_file.hpp"
#include "worker/cli/printed_config.hpp"

using namespace mdl::worker::cli;

namespace {

constexpr OptionText kOptions[] = {
    {.name = "lr", .help = "a rate", .fallback = "1e-4", .also = "learning-rate"},
    {.name = "merge-lora", .help = "whether", .fallback = "true", .takes = kTrueOrFalse},
    {.name = "train-target", .help = "several", .fallback = "encoder,decoder", .takes = kList},
    {.name = "lr-scheduler-kwargs", .help = "more", .takes = kJsonObject},
    {.name = "user-prompt", .help = "words"},
};
constexpr CommandSyntax kSyntax{.name = "train", .options = kOptions, .standing = "input"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    GivenOptions given, again;
    add_config_text(std::string(mdl::fuzz::text_of(data, size)), "run.yaml", kSyntax, given);
    add_config_text(printed_config(kSyntax, given), "printed.yaml", kSyntax, again);
    for (const OptionText& option : kOptions) {
      mdl::fuzz::claim(given.has(option.name) == again.has(option.name), "what is printed is what was given");
    }
  } catch (const mdl::UsageError&) {}
  return 0;
}

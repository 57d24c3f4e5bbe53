#include "launcher/accelerate/launch_options.hpp"

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/cluster_config.hpp"
#include "launcher/accelerate/launch_option_table.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/option_value.hpp"

namespace mdl::launcher::accelerate {
namespace {

using command_line::GivenOption;
using command_line::OptionValue;

/// Puts an option's value where its row says.
class Taker {
 public:
  /// `word` is the option as it was typed.
  Taker(LaunchOptions& options, const LaunchOption& row, const std::string& word, const std::string& text)
      : options_(options),
        row_(row),
        word_(word.substr(0, word.find('='))),
        value_{"--" + row.option.name, text, "mdl-launch launch"} {}

  void operator()(const FlagField& flag) const { options_.*flag.field = true; }
  void operator()(const TextField& text) const {
    if (!text.choices.empty()) { check_choice(value_, text.choices); }
    std::visit([&](auto field) { options_.*field = value_.text; }, text.field);
  }
  void operator()(const NumberField& number) const {
    std::visit([&](auto field) { options_.*field = to_int(value_, number.least, number.most); }, number.field);
  }
  void operator()(const RankField&) const {
    const std::string& text = value_.text;
    if (text != "auto" && !parse_whole_number(text)) {
      throw UsageError(str_cat(value_.source, " must be a whole number or auto, but is \"", text, "\""),
                       did_you_mean(text, std::vector<std::string>{"auto"}) + "Example: --machine-rank 0");
    }
    options_.machine_rank = text == "auto" ? kMachineRankAuto : to_int(value_, 0);
  }
  void operator()(const DynamoField& entry) const {
    if (!entry.choices.empty()) { check_choice(value_, entry.choices); }
    options_.dynamo[row_.key.substr(row_.key.find('.') + 1)] = row_.option.takes_value() ? value_.text : "True";
  }
  void operator()(const PassedOn&) const {}  // the words themselves go on, see parse_launch_options
  void operator()(const Reworded& word) const {
    throw UsageError(
        str_cat(word_, " is torchrun's; with a configuration file or `launch`, accelerate's words are used"),
        "Instead: " + word.instead);
  }
  void operator()(const NeedsEngine& needs) const {
    throw UsageError(str_cat(word_, " needs ", needs.engine), "Leave the option out, or use Python's accelerate.");
  }

 private:
  LaunchOptions& options_;
  const LaunchOption& row_;
  const std::string word_;
  const OptionValue value_;
};

}  // namespace

LaunchOptions parse_launch_options(const std::vector<std::string>& arguments) {
  const command_line::ParsedArguments parsed = command_line::parse_arguments(arguments, launch_option_table());
  LaunchOptions options;
  for (const GivenOption& given : parsed.options) {
    const LaunchOption& row = row_of(*given.option);
    std::visit(Taker(options, row, arguments[given.begin], given.value), row.use);
    if (std::holds_alternative<PassedOn>(row.use)) {
      options.passed_on.insert(options.passed_on.end(), arguments.begin() + static_cast<std::ptrdiff_t>(given.begin),
                               arguments.begin() + static_cast<std::ptrdiff_t>(given.end));
    }
  }
  options.program = parsed.program;
  return options;
}

bool names_config_file(const std::vector<std::string>& arguments) {
  static const command_line::OptionTable table("mdl-launch", options_of_both_launchers());
  try {
    return command_line::parse_arguments(arguments, table, command_line::UnknownOption::skip).find("config-file");
  } catch (const UsageError&) {
    return false;  // mdl-launch's own parser reports it
  }
}

const command_line::CommandHelp& launch_help() {
  static const command_line::CommandHelp help{
      .name = "launch",
      .usage =
          "Usage: mdl-launch launch [options] PROGRAM|SCRIPT [ARGUMENTS...]\n"
          "       mdl-launch --config-file FILE [options] PROGRAM|SCRIPT [ARGUMENTS...]\n",
      .description =
          "Starts processes as `accelerate launch` does. The command line comes before the configuration file; "
          "without --config-file the file that `mdl-launch config` or `accelerate config` wrote is used, if there "
          "is one. Options are spelt with - or _; the keys of the file have their names with _ (--cpu is use_cpu, "
          "and dynamo's stand in the section dynamo_config).",
      .options = &launch_option_table(),
      .ending =
          "DeepSpeed, FSDP, Megatron-LM, TPU, FP8, SageMaker and mpirun need Python's engines; their options are "
          "refused.",
      .starts_program = true,
  };
  return help;
}

}  // namespace mdl::launcher::accelerate

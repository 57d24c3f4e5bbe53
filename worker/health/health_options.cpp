#include "worker/health/health_options.hpp"

#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"

namespace mdl::worker::health {
namespace {

constexpr const char* kHealthCommandName = "health";
constexpr int64_t kLongestLimit = 3600;  // seconds

constexpr cli::OptionText kHealthOptions[] = {
    {.name = "output",
     .help = "folder whose disk is measured: its free space, and how fast 64 MiB are written and synced (none)",
     .takes = cli::kPath,
     .also = "output-dir"},
    {.name = "seconds", .help = "how long all of it may take; mostly half of it is enough", .fallback = "20"},
    {.name = "device", .help = "auto, cuda or cpu", .fallback = "auto"},
    {.name = "json",
     .help = "true: one line of JSON of each process, for other programs to read",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

constexpr const char* kHealthExample[] = {
    "mdl-toolkit health --output run", "mdl-launch --standalone --nproc-per-node gpu --no-python mdl-toolkit health"};

constexpr cli::CommandSyntax kHealthSyntax{.name = kHealthCommandName, .options = kHealthOptions};

HealthOptions read_health_values(const cli::OptionValues& values) {
  HealthOptions options;
  if (const auto output = values.text_or_none("output")) { options.output = *output; }
  int64_t seconds = options.limit.count();
  values.integer("seconds", 1, seconds);
  if (seconds > kLongestLimit) {
    cli::reject_value("seconds", std::to_string(seconds), str_cat("a number from 1 to ", kLongestLimit));
  }
  options.limit = std::chrono::seconds(seconds);
  options.device = device::read_wish(values.choice("device", {"auto", "cuda", "cpu"}).value_or("auto"));
  options.json = values.boolean("json").value_or(false);
  return options;
}

}  // namespace

std::string health_help() {
  return cli::command_help(
      {.usage = "health [options]",
       .about = "Measures how fast this machine computes: matrix product, memory copy, free memory, errors that a GPU "
                "counts, and the disk of --output. As one of the workers of mdl-launch or torchrun also all-reduce, "
                "within the node and between all ranks. Exit code 1 where a part could not be measured. `mdl-launch "
                "doctor --deep` runs it on all nodes of a job and compares them. Defaults in parentheses.",
       .example = kHealthExample},
      kHealthOptions);
}

HealthOptions parse_health_options(const std::vector<std::string>& arguments) {
  const cli::GivenOptions given = cli::parse_command_line(kHealthSyntax, arguments);
  HealthOptions options;
  options.help = given.asks_for_help();
  if (options.help) { return options; }
  cli::refuse_standing_arguments(given, kHealthCommandName);
  return cli::with_places(given, [&] {
    HealthOptions read = read_health_values(cli::OptionValues(given, kHealthCommandName));
    if (given.prints_config()) { read.printed_config = cli::printed_config(kHealthSyntax, given); }
    return read;
  });
}

}  // namespace mdl::worker::health

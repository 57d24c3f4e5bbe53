#include "worker/plan/plan_options.hpp"

#include <algorithm>
#include <string_view>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/training/train_option_table.hpp"

namespace mdl::worker::plan {
namespace {

constexpr int64_t kLeastMemory = int64_t{1} << 20;  ///< less is a unit that was forgotten

constexpr cli::OptionText kOwn[] = {
    {.name = "memory",
     .help = "memory of a GPU to compare with, as nvidia-smi tells it: 81559MiB, 24GiB (that of the smallest GPU here)",
     .section = "What is planned"},
    {.name = "ranks", .help = "processes of the run (WORLD_SIZE, else 1)"},
    {.name = "json", .help = "true: bytes for other programs to read", .fallback = "false", .takes = cli::kTrueOrFalse},
    {.name = "seconds", .help = "without --train-dataset: length of each sound", .fallback = "10"},
    {.name = "tokens",
     .help = "without --train-dataset: tokens of each text, the sound's places among them (100 and the sound's)"},
    {.name = "labels", .help = "without --train-dataset: tokens of each answer", .fallback = "50"},
};

constexpr const char* kExample[] = {"mdl-toolkit plan --train-dataset data --quantization 4bit --memory 24GiB"};

/// Train's options whose text is another one here.
constexpr cli::OptionText kOther[] = {
    {.name = "train-dataset",
     .help = "dataset folder, whose rows' lengths count; repeated: of all of them (none: see --seconds)",
     .takes = cli::kPaths,
     .also = "dataset"},
    {.name = "output", .help = "changes nothing", .takes = cli::kPath, .also = "output-dir"},
};

std::vector<cli::OptionText> all_options() {
  std::vector<cli::OptionText> all(std::begin(kOwn), std::end(kOwn));
  for (const cli::OptionText& option : training::kTrainSyntax.options) {
    const auto* const other = std::ranges::find(kOther, std::string_view(option.name), &cli::OptionText::name);
    all.push_back(other == std::end(kOther) ? option : *other);
  }
  return all;
}

/// All that the environment of a launcher says of it.
int64_t default_ranks() {
  const auto environment = process::read_worker_environment();
  return environment ? environment->world_size : 1;
}

PlanOptions read_values(const cli::OptionValues& values) {
  PlanOptions plan;
  plan.train = training::read_settings(values);
  if (const auto text = values.text("memory")) {
    values.bytes("memory", plan.memory.emplace());
    if (*plan.memory < kLeastMemory) { cli::reject_value("memory", *text, "a GPU's memory, for example 80GiB"); }
  }
  plan.ranks = default_ranks();
  values.integer("ranks", 1, plan.ranks);
  plan.json = values.boolean("json").value_or(false);
  values.number("seconds", 0, plan.seconds);
  values.integer("tokens", 1, plan.tokens);
  values.integer("labels", 1, plan.labels);
  if (plan.train.train_datasets.empty()) { return plan; }
  for (const char* name : {"seconds", "tokens", "labels"}) {
    if (values.text(name)) {
      throw UsageError(str_cat("--", name, " and --train-dataset exclude each other"),
                       "The dataset says how long its rows are.");
    }
  }
  return plan;
}

}  // namespace

std::string plan_help() {
  return cli::command_help(
      {.usage = "plan [train's options]",
       .about = "Tells how much memory a training takes, before it starts: the same command line as train's, "
                "of which nothing is required. It reads the model's configuration and the dataset's lengths, "
                "not the weights, and needs no GPU. Defaults in parentheses.",
       .example = kExample},
      all_options());
}

PlanOptions parse_plan_options(const std::vector<std::string>& arguments) {
  const auto options = all_options();
  const cli::CommandSyntax syntax{.name = "plan", .options = options, .other_ways = training::kTrainSyntax.other_ways};
  const cli::GivenOptions given = training::parse_settings(syntax, arguments);
  return cli::with_places(given, [&] {
    PlanOptions plan = read_values(cli::OptionValues(given, "plan"));
    if (given.prints_config()) { plan.printed_config = cli::printed_config(syntax, given); }
    return plan;
  });
}

}  // namespace mdl::worker::plan

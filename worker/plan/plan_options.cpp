#include "worker/plan/plan_options.hpp"

#include <algorithm>
#include <string_view>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::plan {
namespace {

constexpr int64_t kLeastMemory = int64_t{1} << 20;  ///< less is a unit that was forgotten

constexpr cli::OptionText kOwn[] = {
    {"memory",
     "memory of a GPU to compare with, as nvidia-smi tells it: 81559MiB, 24GiB (that of the smallest GPU here)"},
    {"ranks", "processes of the run (WORLD_SIZE, else 1)"},
    {"json", "true: bytes for other programs to read (false)", cli::kTrueOrFalse},
    {"seconds", "without --train-dataset: length of each sound (10)"},
    {"tokens", "without --train-dataset: tokens of each text, the sound's places among them (100 and the sound's)"},
    {"labels", "without --train-dataset: tokens of each answer (50)"},
};

/// Train's options whose text is another one here.
constexpr cli::OptionText kOther[] = {
    {"train-dataset", "dataset folder, whose rows' lengths count (none: see --seconds)"},
    {"output", "changes nothing"},
};

std::vector<cli::OptionText> all_options() {
  std::vector<cli::OptionText> all(std::begin(kOwn), std::end(kOwn));
  for (const cli::OptionText& option : training::train_option_texts()) {
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

}  // namespace

std::string plan_help() {
  return cli::command_help(
      "plan [train's options]",
      "Tells how much memory a training takes, before it starts: the same command line as train's, "
      "of which nothing is required. It reads the model's configuration and the dataset's lengths, "
      "not the weights, and needs no GPU. Defaults in parentheses.",
      all_options());
}

PlanOptions parse_plan_options(const std::vector<std::string>& arguments) {
  const auto options = all_options();
  const auto given = training::parse_settings("plan", options, arguments);
  const cli::OptionValues values(given, "plan");
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
  if (plan.train.train_dataset.empty()) { return plan; }
  for (const char* name : {"seconds", "tokens", "labels"}) {
    if (values.text(name)) {
      throw UsageError(str_cat("--", name, " and --train-dataset exclude each other"),
                       "The dataset says how long its rows are.");
    }
  }
  return plan;
}

}  // namespace mdl::worker::plan

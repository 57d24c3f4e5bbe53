#include "worker/info/info_command.hpp"

#include <filesystem>
#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/formats/run_folder.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/info/describe_dataset.hpp"
#include "worker/info/describe_model.hpp"

namespace mdl::worker::info {
namespace {

namespace fs = std::filesystem;

constexpr cli::OptionText kOptions[] = {
    {.name = "model-name",
     .help = "of a dataset: checkpoint whose tokenizer shows the row as text (none)",
     .takes = cli::kPathOrName,
     .also = "model,model-name-or-path"},
    {.name = "row", .help = "of a dataset: the row to show, from 0", .fallback = "0"},
    {.name = "from-modelscope",
     .help = "true: a model's name is one at ModelScope",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

constexpr const char* kExample[] = {"mdl-toolkit info mispeech/midashenglm-7b"};

constexpr cli::CommandSyntax kSyntax{
    .name = "info", .options = kOptions, .other_ways = hub::kRevisionInName, .standing = "subject"};

constexpr const char* kSubjects =
    "info takes the folder of a model, an adapter, a training checkpoint or a dataset, or a model's name "
    "ORG/NAME[@REVISION].";

/// Throws UsageError where `name` can be none of these.
void require_subject(const std::string& name, bool from_modelscope) {
  std::error_code error;
  if (fs::is_directory(name, error)) { return; }
  const bool is_file = fs::exists(name, error);
  if (!is_file && hub::parse_model_name(name)) { return; }
  throw UsageError(str_cat("no folder ", name, is_file ? " (it is a file)" : ""),
                   hub::did_you_mean_model(name, from_modelscope) + kSubjects);
}

}  // namespace

int info_command(const std::vector<std::string>& arguments,
                 const std::function<int(const fs::path& model_folder)>& tell_trainable) {
  const cli::GivenOptions given = cli::parse_command_line(kSyntax, arguments);
  if (given.asks_for_help()) {
    std::cout << cli::command_help(
        {.usage = "info DIR|NAME [options]",
         .about = "Tells what a model's, adapter's, training checkpoint's or dataset's folder holds. "
                  "NAME is a model's at Hugging Face, ORG/NAME[@REVISION]: all but its weights is "
                  "downloaded where it is not in the local cache yet.",
         .example = kExample},
        kOptions);
    return 0;
  }
  const std::string name = cli::standing_argument(given, "info", "folder or model", kSubjects);
  const cli::OptionValues values(given, "info");
  std::int64_t row = 0;
  values.integer("row", 0, row);
  const auto model = values.text("model-name");

  const bool from_modelscope = values.boolean("from-modelscope").value_or(false);
  const auto find = [&](const std::string& wanted) {
    return hub::find_model(wanted, hub::Parts::without_weights, from_modelscope).folder;
  };

  if (given.prints_config()) {
    std::cout << cli::printed_config(kSyntax, given);
    return 0;
  }
  require_subject(name, from_modelscope);
  const fs::path folder = find(name);
  const auto has = [&](const char* file) {
    std::error_code error;
    return fs::exists(folder / file, error);
  };
  if (has("state.json")) {
    std::cout << describe_dataset(folder, row, model ? std::optional(find(*model)) : std::nullopt);
  } else if (has("adapter_config.json")) {
    std::cout << describe_adapter(folder);
  } else if (has("config.json")) {
    std::cout << describe_checkpoint(folder) << std::flush;
    return tell_trainable(folder);
  } else {
    throw UsageError(str_cat(folder.string(), " is none of the folders that this program knows"),
                     formats::hint_of_final(folder) +
                         "A dataset has a state.json, an adapter an adapter_config.json, a model a config.json.");
  }
  return 0;
}

}  // namespace mdl::worker::info

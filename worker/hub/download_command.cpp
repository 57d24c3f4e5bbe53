#include "worker/hub/download_command.hpp"

#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::hub {
namespace {

constexpr const char* kCommand = "download";

constexpr cli::OptionText kOptions[] = {
    {"revision", "branch, tag or commit (the hub's main branch)"},
    {"from-modelscope", "true downloads from ModelScope instead of Hugging Face (false)"},
};

}  // namespace

int download_command(const std::vector<std::string>& arguments) {
  const auto given = cli::parse_command_line(kCommand, kOptions, arguments);
  if (given.count("help")) {
    std::cout << cli::command_help(
        "download NAME [options]",
        "Downloads a model (ORG/NAME, or ORG/NAME@REVISION) into the local cache of Hugging Face's or ModelScope's own "
        "programs, and prints its folder. What is there already is not downloaded again, and what was cut off goes on.",
        kOptions);
    return 0;
  }
  std::string name = cli::standing_argument(given, kCommand, "model's name");
  const cli::OptionValues values(given, kCommand);
  auto model = parse_model_name(name);
  if (!model) {
    throw UsageError(str_cat(name, " is no model's name"), str_cat("A name is ORG/NAME, as ", kDefaultModel, "."));
  }
  if (const auto revision = values.text("revision")) {
    if (model->revision && model->revision != revision) {
      throw UsageError(str_cat("--revision ", *revision, " contradicts ", name));
    }
    if (!is_revision(*revision)) { cli::reject_value("revision", *revision, "a branch, a tag or a commit"); }
    model->revision = revision;
  }
  const auto hub = open_hub(values.boolean("from-modelscope").value_or(false));
  std::cout << fetch_model(*hub, *model, Parts::all).string() << '\n';
  return 0;
}

}  // namespace mdl::worker::hub

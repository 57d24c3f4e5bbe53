#include "worker/hub/download_command.hpp"

#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::hub {
namespace {

constexpr const char* kCommand = "download";

constexpr cli::OptionText kOptions[] = {
    {.name = "revision", .help = "branch, tag or commit (the hub's main branch)"},
    {.name = "from-modelscope",
     .help = "true: NAME is one at ModelScope instead of Hugging Face",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "verify",
     .help = "true: read every file that is there already, and download again those with another hash",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

constexpr cli::OtherWay kOtherWays[] = {
    {"model-name", "The name stands alone: mdl-toolkit download VALUE."},
    {"output", "The model goes into the cache; HF_HUB_CACHE (of ModelScope MODELSCOPE_CACHE) says where that is."},
};

constexpr const char* kExample[] = {"mdl-toolkit download mispeech/midashenglm-7b"};

constexpr cli::CommandSyntax kSyntax{
    .name = kCommand, .options = kOptions, .other_ways = kOtherWays, .standing = "name"};

void print_help() {
  std::cout << cli::command_help(
      {.usage = "download NAME [options]",
       .about = str_cat(
           "Downloads the model of that name (ORG/NAME or ORG/NAME@REVISION, for example ", kDefaultModel,
           ") from Hugging Face or ModelScope, so that train, convert-dataset, inference and info find it by its "
           "name. It goes into the cache of the hub's own programs, and the last line says where it lies. What is "
           "there already is compared with what the hub has, names and sizes, and only the rest is downloaded; what "
           "was cut off goes on."),
       .example = kExample},
      kOptions);
}

ModelName read_name(const std::string& text, bool from_modelscope) {
  if (auto model = parse_model_name(text)) { return *model; }
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(text, error);
  if (is_folder) { refuse_cache_folder(text); }
  throw UsageError(
      str_cat(text, " is no model's name"),
      is_folder ? "It is on this machine already: give it to the other commands as it is."
                : str_cat(did_you_mean_model(text, from_modelscope), "A name is ORG/NAME or ORG/NAME@REVISION, as ",
                          model_name_or_default({}, from_modelscope), "."));
}

}  // namespace

int download_command(const std::vector<std::string>& arguments) {
  const cli::GivenOptions given = cli::parse_command_line(kSyntax, arguments);
  if (given.asks_for_help()) {
    print_help();
    return 0;
  }
  const std::string name = cli::standing_argument(given, kCommand, "model",
                                                  str_cat("Write its name: mdl-toolkit download ", kDefaultModel, "."));
  const cli::OptionValues values(given, kCommand);
  const bool from_modelscope = values.boolean("from-modelscope").value_or(false);
  if (given.prints_config()) {
    std::cout << cli::printed_config(kSyntax, given);
    return 0;
  }
  ModelName model = read_name(name, from_modelscope);
  if (const auto revision = values.text("revision")) {
    if (model.revision && model.revision != revision) {
      throw UsageError(str_cat("--revision ", *revision, " contradicts ", name));
    }
    if (!is_revision(*revision)) { cli::reject_value("revision", *revision, "a branch, a tag or a commit"); }
    model.revision = revision;
  }
  const Trust trust = values.boolean("verify").value_or(false) ? Trust::hash : Trust::size;
  std::cout << complete_model(*open_hub(from_modelscope), model, trust).string() << '\n';
  return 0;
}

}  // namespace mdl::worker::hub

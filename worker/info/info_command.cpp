#include "worker/info/info_command.hpp"

#include <boost/program_options.hpp>
#include <filesystem>
#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/info/describe_dataset.hpp"
#include "worker/info/describe_model.hpp"
#include "worker/model_folder.hpp"
#include "worker/option_values.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
constexpr const char* kTry = "Try: mdl-toolkit info --help";

po::options_description describe() {
  const auto text = [] { return po::value<std::vector<std::string>>()->value_name("VALUE"); };
  po::options_description options("Options", 110, 80);
  options.add_options()("help,h", "this text")("model-name", text(),
                                               "of a dataset: checkpoint whose tokenizer shows the row as text (none)")(
      "row", text(), "of a dataset: the row to show, from 0 (0)");
  return options;
}

po::variables_map parse(const std::vector<std::string>& arguments) {
  po::options_description all = describe();
  all.add_options()("folder", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("folder", -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  .style(style::allow_long | style::allow_short | style::short_allow_next |
                         style::allow_dash_for_short | style::long_allow_adjacent | style::long_allow_next)
                  .run(),
              given);
  } catch (const po::error& error) {
    throw UsageError(error.what(), kTry);
  }
  return given;
}

}  // namespace

int info_command(const std::vector<std::string>& arguments) {
  const po::variables_map given = parse(arguments);
  if (given.count("help")) {
    std::cout << "usage: mdl-toolkit info DIR [options]\n\nTells what a model's, adapter's, training checkpoint's or "
                 "dataset's folder holds.\n\n"
              << describe();
    return 0;
  }
  if (!given.count("folder")) throw UsageError("no folder is named", kTry);
  const OptionValues values(given);
  const auto names = given["folder"].as<std::vector<std::string>>();
  if (names.size() > 1)
    throw UsageError(str_cat("one folder is expected, but also \"", names[1], "\" stands alone"), kTry);
  std::int64_t row = 0;
  values.integer("row", 0, row);
  const auto model = values.text("model-name");

  const fs::path folder =
      fs::exists(fs::path(names[0]) / "state.json") ? fs::path(names[0]) : find_model_folder(names[0]);
  if (fs::exists(folder / "state.json")) {
    std::cout << describe_dataset(folder, row, model ? std::optional(find_model_folder(*model)) : std::nullopt);
  } else if (fs::exists(folder / "adapter_config.json")) {
    std::cout << describe_adapter(folder);
  } else if (fs::exists(folder / "config.json")) {
    std::cout << describe_checkpoint(folder);
  } else {
    throw UsageError(str_cat(folder.string(), " is none of the folders that this program knows"),
                     "A dataset has a state.json, an adapter an adapter_config.json, a model a config.json.");
  }
  return 0;
}

}  // namespace mdl

#include "worker/convert/convert_command.hpp"

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/convert/converter.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::convert {
namespace {

namespace po = boost::program_options;
constexpr const char* kCommand = "convert-dataset";

constexpr cli::OptionText kOptions[] = {
    {"output", "dataset folder to write (required)"},
    {"model-name",
     "checkpoint whose tokenizer, chat template and audio settings are used: a folder, or a model's name "
     "ORG/NAME[@REVISION] at Hugging Face, of which all but the weights is downloaded (mispeech/midashenglm-7b; at "
     "ModelScope midasheng/midashenglm-7b)"},
    {"tokenizing-batch-size", "rows that are padded to the same length; 1 stores no padding (8)"},
    {"audio-encoding", "float32, or pcm16: half the size, for this program's train only (float32)"},
    {"max-shard-size", "bytes of a data file, at most; may end in KB, MB, GB (500MB)"},
};

std::vector<cli::OptionText> all_options() {
  std::vector<cli::OptionText> options(std::begin(kOptions), std::end(kOptions));
  const auto rows = row_option_texts();
  options.insert(options.end(), rows.begin(), rows.end());
  return options;
}

void print_help() {
  std::cout << cli::command_help(
      "convert-dataset INPUT.csv --output DIR [options]",
      "Turns a CSV file into a dataset folder for `mdl-toolkit train`, in Hugging Face's format. "
      "The file's columns are audio (a path, or an http or https address of a wav, flac, ogg or mp3 file of 4 hours at "
      "most), prediction (what the model is to answer) and, if you like, system_prompt and user_prompt. "
      "All rows are checked before anything is written. "
      "A run that was cut off goes on where it was when it is started again. Defaults in parentheses.",
      all_options());
}

ConvertOptions read_options(const po::variables_map& given) {
  const cli::OptionValues values(given, kCommand);
  ConvertOptions options;
  options.input = cli::standing_argument(given, kCommand, "CSV file");
  options.output = values.required_path("output");
  static_cast<RowOptions&>(options) = read_row_options(values);
  values.integer("tokenizing-batch-size", 1, options.group_size);
  if (const auto encoding = values.choice("audio-encoding", {"float32", "pcm16"})) {
    options.encoding = *encoding == "pcm16" ? AudioEncoding::pcm16 : AudioEncoding::float32;
  }
  values.bytes("max-shard-size", options.max_shard_bytes);
  const std::string model = hub::model_name_or_default(values.text("model-name"), options.from_modelscope);
  if (hub::needs_download(model, hub::Parts::without_weights, options.from_modelscope)) {
    check_without_model(options.input, options.defaults, RowPurpose::training);
  }
  options.model_folder = hub::find_model(model, hub::Parts::without_weights, options.from_modelscope).folder;
  return options;
}

}  // namespace

int convert_command(const std::vector<std::string>& arguments) {
  const po::variables_map given = cli::parse_command_line(kCommand, all_options(), arguments, hub::kRevisionInName);
  if (given.count("help")) {
    print_help();
    return 0;
  }
  const ConvertOptions options = read_options(given);
  const auto begin = std::chrono::steady_clock::now();
  const ConvertSummary summary = convert_dataset(options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%s: %lld rows, %.1f MB in %zu file%s, in %.1f s%s\n", options.output.c_str(),
              static_cast<long long>(summary.rows), static_cast<double>(summary.bytes) / 1e6, summary.shards,
              summary.shards == 1 ? "" : "s", seconds.count(),
              summary.shards_found ? str_cat(" (", summary.shards_found, " from an earlier run)").c_str() : "");
  return 0;
}

}  // namespace mdl::worker::convert

#include "worker/convert/convert_command.hpp"

#include <cstdio>
#include <iostream>

#include "common/error.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/convert/converter.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::convert {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCommand = "convert-dataset";

constexpr cli::OptionText kOptions[] = {
    {.name = "output", .help = "dataset folder to write (required)", .takes = cli::kPath, .also = "output-dir"},
    {.name = "model-name",
     .help = "checkpoint whose tokenizer, chat template and audio settings are used: a folder, or a model's name "
             "ORG/NAME[@REVISION] at Hugging Face, of which all but the weights is downloaded "
             "(mispeech/midashenglm-7b; at ModelScope midasheng/midashenglm-7b)",
     .takes = cli::kPathOrName,
     .also = "model,model-name-or-path"},
    {.name = "tokenizing-batch-size",
     .help = "rows that are padded to the same length; 1 stores no padding",
     .fallback = "8"},
    {.name = "audio-encoding",
     .help = "float32, or pcm16: half the size, for this program's train only",
     .fallback = "float32"},
    {.name = "max-shard-size", .help = "bytes of a data file, at most; may end in KB, MB, GB", .fallback = "500MB"},
};

std::vector<cli::OptionText> all_options() {
  std::vector<cli::OptionText> options(std::begin(kOptions), std::end(kOptions));
  const auto rows = row_option_texts();
  options.insert(options.end(), rows.begin(), rows.end());
  return options;
}

constexpr const char* kExample[] = {"mdl-toolkit convert-dataset train.csv --output data --base-dir clips \\",
                                    "    --user-prompt \"What is heard?\""};

void print_help() {
  std::cout << cli::command_help(
      {.usage = "convert-dataset INPUT --output DIR [options]",
       .about =
           "Turns a CSV, TSV or JSONL file into a dataset folder for `mdl-toolkit train`, in Hugging Face's format. "
           "The file's columns are audio (a path, or an http or https address of a wav, flac, ogg or mp3 file of "
           "4 hours at "
           "most), prediction (what the model is to answer) and, if you like, system_prompt and user_prompt. "
           "All rows are checked before anything is written. "
           "A run that was cut off goes on where it was when it is started again. Defaults in parentheses.",
       .example = kExample},
      all_options());
}

ConvertOptions read_options(const cli::GivenOptions& given) {
  const cli::OptionValues values(given, kCommand);
  ConvertOptions options;
  options.input = cli::standing_argument(given, kCommand, "file of rows (.csv, .tsv, .jsonl)");
  options.output = values.required_path("output");
  static_cast<RowOptions&>(options) = read_row_options(values);
  values.integer("tokenizing-batch-size", 1, options.group_size);
  if (const auto encoding = values.choice("audio-encoding", {"float32", "pcm16"})) {
    options.encoding = *encoding == "pcm16" ? AudioEncoding::pcm16 : AudioEncoding::float32;
  }
  values.bytes("max-shard-size", options.max_shard_bytes);
  return options;
}

fs::path find_model(const ConvertOptions& options, const std::string& model) {
  if (hub::needs_download(model, hub::Parts::without_weights, options.from_modelscope)) {
    check_without_model(options.input, options.defaults, RowPurpose::training);
  }
  return hub::find_model(model, hub::Parts::without_weights, options.from_modelscope).folder;
}

}  // namespace

int convert_command(const std::vector<std::string>& arguments) {
  const auto texts = all_options();
  const cli::CommandSyntax syntax{
      .name = kCommand, .options = texts, .other_ways = hub::kRevisionInName, .standing = "input"};
  const cli::GivenOptions given = cli::parse_command_line(syntax, arguments);
  if (given.asks_for_help()) {
    print_help();
    return 0;
  }
  ConvertOptions options = cli::with_places(given, [&] { return read_options(given); });
  if (given.prints_config()) {
    std::cout << cli::printed_config(syntax, given);
    require_written_output();
    return 0;
  }
  const auto model = cli::OptionValues(given, kCommand).text("model-name");
  options.model_folder = find_model(options, hub::model_name_or_default(model, options.from_modelscope));
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

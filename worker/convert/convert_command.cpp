#include "worker/convert/convert_command.hpp"

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>
#include <thread>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/converter.hpp"
#include "worker/model_folder.hpp"
#include "worker/nearest_name.hpp"
#include "worker/option_values.hpp"

namespace mdl {
namespace {

namespace po = boost::program_options;
constexpr const char* kTry = "Try: mdl-toolkit convert-dataset --help";

struct OptionText {
  const char* name;
  const char* help;
};

constexpr OptionText kOptions[] = {
    {"output", "dataset folder to write (required)"},
    {"model-name",
     "checkpoint whose tokenizer, chat template and audio settings are used: a folder, or a name in the local Hugging "
     "Face "
     "cache (mispeech/midashenglm-7b)"},
    {"system-prompt", "system prompt of rows that have none (none)"},
    {"user-prompt", "user prompt of rows that have none (none)"},
    {"base-dir", "folder that the paths of sounds are relative to (the current folder)"},
    {"tokenizing-batch-size", "rows that are padded to the same length; 1 stores no padding (8)"},
    {"num-workers", "threads (one for each core)"},
    {"audio-encoding", "float32, or pcm16: half the size, for this program's train only (float32)"},
    {"max-shard-size", "bytes of a data file, at most; may end in KB, MB, GB (500MB)"},
    {"max-download-size", "bytes of a sound that is fetched from an address, at most (256MB)"},
    {"download-attempts", "how often a sound is tried to be fetched (4)"},
    {"from-modelscope", "only false: this program downloads no models (false)"},
};

po::options_description describe() {
  po::options_description options("Options", 110, 80);
  options.add_options()("help,h", "this text");
  for (const OptionText& option : kOptions)
    options.add_options()(option.name, po::value<std::vector<std::string>>()->value_name("VALUE"), option.help);
  return options;
}

void print_help() {
  std::cout << "usage: mdl-toolkit convert-dataset INPUT.csv --output DIR [options]\n\n"
               "Turns a CSV file into a dataset folder for `mdl-toolkit train`, in Hugging Face's format.\n"
               "The file's columns are audio (a path, or an http or https address of a wav, flac, ogg or mp3 file), "
               "prediction (what the model is\n"
               "to answer) and, if you like, system_prompt and user_prompt. All rows are checked before anything is "
               "written. A run that was cut\n"
               "off goes on where it was when it is started again. Defaults in parentheses.\n\n"
            << describe();
}

po::variables_map parse(const std::vector<std::string>& arguments) {
  po::options_description all = describe();
  all.add_options()("input", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("input", -1);
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
  } catch (const po::unknown_option& error) {
    std::vector<std::string> names;
    for (const OptionText& option : kOptions) names.push_back(option.name);
    std::string typed = error.get_option_name();
    typed.erase(0, typed.find_first_not_of('-'));
    const std::string nearest = nearest_name(typed, names);
    throw UsageError(str_cat("unknown option --", typed),
                     nearest.empty() ? kTry : str_cat("Did you mean --", nearest, "?"));
  } catch (const po::error& error) {
    throw UsageError(error.what(), kTry);
  }
  return given;
}

/// "500MB" (millions), "64KB", "2GB" or plain bytes.
std::int64_t parse_size(const std::string& option, const std::string& value) {
  std::size_t digits = 0;
  while (digits < value.size() && value[digits] >= '0' && value[digits] <= '9') ++digits;
  const std::string unit = value.substr(digits);
  const std::int64_t factor = unit.empty()   ? 1
                              : unit == "KB" ? 1'000
                              : unit == "MB" ? 1'000'000
                              : unit == "GB" ? 1'000'000'000
                                             : 0;
  if (digits == 0 || digits > 9 || factor == 0 || std::stoll(value) == 0)
    reject_value(option, value, "a size, for example 500MB");
  return std::stoll(value) * factor;
}

std::optional<std::string> not_empty(std::optional<std::string> text) {
  return text && text->empty() ? std::nullopt : text;
}

ConvertOptions read_options(const po::variables_map& given) {
  const OptionValues values(given);
  ConvertOptions options;
  if (!given.count("input")) throw UsageError("no CSV file is named", kTry);
  const auto& inputs = given["input"].as<std::vector<std::string>>();
  if (inputs.size() > 1)
    throw UsageError(str_cat("one CSV file is expected, but also \"", inputs[1], "\" stands alone"), kTry);
  options.input = inputs.front();
  const auto output = not_empty(values.text("output"));
  if (!output) throw UsageError("--output is required", kTry);
  options.output = *output;
  if (values.boolean("from-modelscope").value_or(false)) {
    throw UsageError("--from-modelscope true is not supported: this program downloads no models",
                     "Download the model and give its folder as --model-name.");
  }
  options.defaults.system_prompt = not_empty(values.text("system-prompt"));
  options.defaults.user_prompt = not_empty(values.text("user-prompt"));
  options.defaults.base_dir = values.text("base-dir").value_or("");
  values.integer("tokenizing-batch-size", 1, options.group_size);
  options.workers = std::max(1U, std::thread::hardware_concurrency());
  values.integer("num-workers", 1, options.workers);
  if (options.workers > 1024) reject_value("num-workers", str_cat(options.workers), "at most 1024 threads");
  if (const auto encoding = values.text("audio-encoding")) {
    if (*encoding != "float32" && *encoding != "pcm16") reject_value("audio-encoding", *encoding, "float32 or pcm16");
    options.encoding = *encoding == "pcm16" ? AudioEncoding::pcm16 : AudioEncoding::float32;
  }
  if (const auto size = values.text("max-shard-size")) options.max_shard_bytes = parse_size("max-shard-size", *size);
  if (const auto size = values.text("max-download-size"))
    options.downloads.max_bytes = parse_size("max-download-size", *size);
  values.integer("download-attempts", 1, options.downloads.attempts);
  options.model_folder = find_model_folder(values.text("model-name").value_or("mispeech/midashenglm-7b"));
  return options;
}

}  // namespace

int convert_command(const std::vector<std::string>& arguments) {
  const po::variables_map given = parse(arguments);
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

}  // namespace mdl

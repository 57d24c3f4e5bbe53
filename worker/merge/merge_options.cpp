#include "worker/merge/merge_options.hpp"

#include <algorithm>

#include "worker/adapter/pretrained.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::merge {
namespace {

constexpr const char* kMergeCommand = "merge";

constexpr cli::OptionText kMergeOptions[] = {
    {.name = "output", .help = "folder of the merged model (required)", .takes = cli::kPath, .also = "output-dir"},
    {.name = "overwrite-output",
     .help = "true: replace a model that is there already; false: it is an error",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "dtype",
     .help = "auto, float32, bfloat16 or float16: type of the weights (auto: as MODEL's are stored)",
     .fallback = "auto",
     .also = "torch-dtype"},
    {.name = "shard-size",
     .help = "bytes of a file of weights, at most; may end in KB, MB, GB. About so much memory is taken",
     .fallback = "5GB",
     .also = "max-shard-size"},
    {.name = "verify",
     .help = "true, or a sound file: load both, the model with the adapter on it and the merged one, and compare what "
             "they would answer first; an error where that differs",
     .fallback = "false"},
    {.name = "from-modelscope",
     .help = "true: a model's name is one at ModelScope",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

constexpr cli::OtherWay kMergeOtherWays[] = {
    {"revision", "Write the revision behind the model's name: NAME@VALUE."},
    {"adapter", "Both stand alone: mdl-toolkit merge MODEL VALUE --output DIR."},
    {"model-name", "Both stand alone: mdl-toolkit merge VALUE ADAPTER --output DIR."},
};

constexpr const char* kMergeExample[] = {"mdl-toolkit merge mispeech/midashenglm-7b run/final --output merged"};

constexpr cli::CommandSyntax kMergeSyntax{
    .name = kMergeCommand, .options = kMergeOptions, .other_ways = kMergeOtherWays, .standing = "model,adapter"};

std::optional<at::ScalarType> read_merge_dtype(const cli::OptionValues& values) {
  const std::vector<std::string> names = {"auto", "float32", "bfloat16", "float16"};
  const auto text = values.choice("dtype", names).value_or("auto");
  if (text == "auto") { return std::nullopt; }
  return text == "float32" ? at::kFloat : text == "bfloat16" ? at::kBFloat16 : at::kHalf;
}

MergeOptions read_merge_options(const cli::GivenOptions& given) {
  const cli::OptionValues values(given, kMergeCommand);
  MergeOptions options;
  const auto standing = cli::standing_arguments(given, kMergeCommand, "a model and an adapter, or an adapter", 1, 2);
  if (standing.size() == 2) { options.model = standing.front(); }
  if (!standing.empty()) { options.adapter = standing.back(); }
  options.output = values.required_path("output");
  options.overwrite = values.boolean("overwrite-output").value_or(false);
  options.dtype = read_merge_dtype(values);
  options.shard_bytes = adapter::kShardBytes;
  values.bytes("shard-size", options.shard_bytes);
  if (const auto text = values.text_or_none("verify")) {
    const auto flag = cli::read_boolean(*text);
    options.verify = flag.value_or(true);
    if (!flag) { options.sound = *text; }
  }
  options.from_modelscope = values.boolean("from-modelscope").value_or(false);
  return options;
}

}  // namespace

std::string merge_help() {
  return cli::command_help(
      {.usage = "merge [MODEL] ADAPTER --output DIR [options]",
       .about =
           "Merges a LoRA adapter into the weights of its model: a whole checkpoint, which inference, transformers "
           "and vLLM load. MODEL is a folder or a model's name at Hugging Face, ORG/NAME[@REVISION]; without it the "
           "adapter says which. ADAPTER is a folder of train's (final/ or checkpoint-STEP/) or of PEFT's, also "
           "rank-stabilized, with ranks by pattern, or DoRA. One file of weights after the other is made, so that "
           "no second copy of the model is in memory. Defaults in parentheses.",
       .example = kMergeExample},
      kMergeOptions);
}

MergeOptions parse_merge_options(const std::vector<std::string>& arguments) {
  const cli::GivenOptions given = cli::parse_command_line(kMergeSyntax, arguments);
  MergeOptions options = cli::with_places(given, [&] { return read_merge_options(given); });
  if (given.prints_config()) { options.printed_config = cli::printed_config(kMergeSyntax, given); }
  return options;
}

}  // namespace mdl::worker::merge

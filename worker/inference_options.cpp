#include "worker/inference_options.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker {
namespace {

constexpr const char* kInferenceCommand = "inference";

constexpr cli::OptionText kInferenceOptions[] = {
    {.name = "model-name",
     .help = "MiDashengLM checkpoint: a folder, or a model's name ORG/NAME[@REVISION] at Hugging Face, which is "
             "downloaded where it is not in the local cache yet; or an adapter, which names its model (required)",
     .takes = cli::kPathOrName,
     .also = "model,model-name-or-path",
     .section = "Model and output"},
    {.name = "adapter",
     .help = "folder of a LoRA adapter, of train's or PEFT's, that is put on the model (none)",
     .takes = cli::kPath},
    {.name = "merge-adapter",
     .help = "true: merge the adapter into the weights first, which is faster",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
    {.name = "output",
     .help = "file to write, in the format of the input: its columns and prediction (required)",
     .takes = cli::kPath},

    {.name = "batch-size",
     .help = "rows that are answered together by each process",
     .fallback = "32",
     .section = "Answers"},
    {.name = "max-length",
     .help = "tokens of a prompt, those of the sound included, and its answer",
     .fallback = "128"},
    {.name = "max-new-tokens",
     .help = "tokens of an answer; then --max-length does not count (max_new_tokens of generation_config.json, else "
             "what --max-length leaves)"},
    {.name = "seed", .help = "decides what is sampled where generation_config.json has do_sample", .fallback = "42"},

    {.name = "device",
     .help = "auto, cuda or cpu (auto: the GPU of this process's local rank, or the CPU where there is none or "
             "ACCELERATE_USE_CPU=true or an empty CUDA_VISIBLE_DEVICES says so)",
     .fallback = "auto",
     .section = "Device, precision and memory"},
    {.name = "bf16",
     .help = "true, false or auto: compute in bfloat16 (auto: as the checkpoint is stored)",
     .fallback = "auto"},
    {.name = "quantization",
     .help = "8bit or 4bit: keep the linear layers' weights so, with the package bitsandbytes (none)"},
    {.name = "quantization-type", .help = "of 4bit: fp4 or nf4", .fallback = "fp4"},
    {.name = "double-quantization",
     .help = "of 4bit: true quantizes the scales too",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},

    {.name = "tokenizing-batch-size",
     .help = "as the Python tool's; nothing is padded here, so every value does the same",
     .fallback = "8",
     .section = "Rows"},
};

constexpr const char* kExample[] = {"mdl-toolkit inference clips.csv --model-name run/final \\",
                                    "    --output answers.csv --user-prompt \"What is heard?\""};

std::vector<cli::OptionText> all_inference_options() {
  std::vector<cli::OptionText> options(std::begin(kInferenceOptions), std::end(kInferenceOptions));
  const auto rows = convert::row_option_texts();
  options.insert(options.end(), rows.begin(), rows.end());
  return options;
}

/// Answers are written in the format of the rows. Throws UsageError where the name of the output promises another one.
void require_same_format(const InferenceOptions& options) {
  const auto written = dataset::row_format(options.output);
  const auto format = dataset::row_format(options.input).value_or(dataset::RowFormat::csv);
  if (!written || *written == format) { return; }
  throw UsageError(str_cat("--output ", options.output.string(), ": the answers are written in the format of ",
                           options.input.string()),
                   str_cat("Give it a name that ends in ", dataset::row_ending(format), "."));
}

}  // namespace

std::vector<cli::OptionText> inference_option_texts() {
  return all_inference_options();
}

InferenceOptions read_inference_options(const cli::GivenOptions& given, const std::string& command) {
  const cli::OptionValues values(given, command);
  InferenceOptions options;
  options.input = cli::standing_argument(given, command, "file of rows (.csv, .tsv, .jsonl)");
  options.output = values.required_path("output");
  options.model_name = values.required_path("model-name").string();
  values.integer("batch-size", 1, options.batch_size);
  values.integer("max-length", 1, options.max_length);
  values.integer("max-new-tokens", 1, options.max_new_tokens);
  options.rows = convert::read_row_options(values);
  if (values.text("adapter")) { options.adapter = values.required_path("adapter"); }
  options.merge_adapter = values.boolean("merge-adapter").value_or(false);
  options.bf16 = values.boolean_or_auto("bf16");
  options.device = device::read_wish(values.choice("device", {"auto", "cuda", "cpu"}).value_or("auto"));
  options.quantization = quantization::parse_quantization(values.text("quantization"), values.text("quantization-type"),
                                                          values.boolean("double-quantization"));
  if (options.quantization && options.merge_adapter) {
    throw UsageError("--merge-adapter true is not possible with --quantization: the weights are not there to add to");
  }
  values.integer("seed", 0, options.seed);
  std::size_t any = 0;
  values.integer("tokenizing-batch-size", 1, any);
  return options;
}

std::string inference_help() {
  return cli::command_help(
      {.usage = "inference INPUT --model-name DIR|NAME --output FILE [options]",
       .about = "Answers each row of a CSV, TSV or JSONL file, whose columns are audio (a path, or an http or https "
                "address) and, if "
                "you like, "
                "system_prompt and user_prompt, and writes the answers into the column prediction, "
                "alone or as one of the workers of mdl-launch or torchrun. "
                "How an answer is chosen says the checkpoint's generation_config.json. "
                "All rows are checked before the model is loaded. "
                "A run that was cut off goes on where it was when it is started again. Defaults in parentheses.",
       .example = kExample},
      all_inference_options());
}

InferenceOptions parse_inference_options(const std::vector<std::string>& arguments) {
  const auto texts = all_inference_options();
  const cli::CommandSyntax syntax{
      .name = kInferenceCommand, .options = texts, .other_ways = hub::kRevisionInName, .standing = "input"};
  const cli::GivenOptions given = cli::parse_command_line(syntax, arguments);
  InferenceOptions options = cli::with_places(given, [&] { return read_inference_options(given, kInferenceCommand); });
  if (!given.prints_config()) { require_same_format(options); }
  if (given.prints_config()) { options.printed_config = cli::printed_config(syntax, given); }
  return options;
}

}  // namespace mdl::worker

#include "worker/planned_memory.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "common/command/command_output.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/plan/memory_plan.hpp"

namespace mdl::worker {
namespace {

using Arguments = std::vector<std::string>;

constexpr std::chrono::seconds kPatience{30};

void add_adapter(Arguments& arguments, const adapter::LoraConfig& lora,
                 const std::optional<std::filesystem::path>& adapter) {
  const bool own = lora.layers || lora.rank_stabilized || !lora.rank_pattern.empty() || !lora.alpha_pattern.empty();
  if (own && adapter) {
    arguments.insert(arguments.end(), {"--initial-adapter", adapter->string()});
    return;
  }
  arguments.insert(arguments.end(),
                   {"--lora-rank", std::to_string(lora.rank), "--lora-dropout", std::to_string(lora.dropout),
                    "--train-target", adapter::target_names(lora.targets)});
}

void add_quantization(Arguments& arguments, const quantization::Quantization& quantization) {
  using Kind = quantization::Quantization::Kind;
  arguments.insert(arguments.end(), {"--quantization", quantization.kind == Kind::int8 ? "8bit" : "4bit"});
  if (quantization.kind == Kind::int8) { return; }
  arguments.insert(arguments.end(), {"--quantization-type", quantization.kind == Kind::fp4 ? "fp4" : "nf4",
                                     "--double-quantization", quantization.double_quantization ? "true" : "false"});
}

std::string options_that_fit(const PlannedMemory& memory) {
  if (memory.lighter.empty()) { return "Nor does it with fewer clips in a batch, fewer bits or checkpointing."; }
  std::string text;
  for (const std::string& line : memory.lighter) { text += str_cat(text.empty() ? "This fits: " : "; ", line); }
  return text + '.';
}

}  // namespace

Arguments plan_arguments(const TrainingInputs& inputs, const std::optional<std::filesystem::path>& adapter,
                         int64_t of_gpu) {
  const training::TrainOptions& options = inputs.options;
  const auto boolean = [](bool value) { return value ? "true" : "false"; };
  Arguments arguments = {"--model-name",
                         inputs.model_folder.string(),
                         options.batch_tokens ? "--batch-tokens" : "--batch-size",
                         std::to_string(options.batch_tokens.value_or(options.batch_size)),
                         "--gradient-accumulation-steps",
                         std::to_string(options.accumulation_steps),
                         "--gradient-checkpointing",
                         boolean(options.gradient_checkpointing),
                         "--bf16",
                         boolean(inputs.dtype == at::kBFloat16),
                         "--batch-norm",
                         options.batch_norm == training::BatchNorm::frozen ? "frozen" : "batch",
                         "--merge-lora",
                         boolean(options.merge_lora),
                         "--ranks",
                         std::to_string(inputs.environment ? inputs.environment->world_size : 1),
                         "--memory",
                         std::to_string(of_gpu),
                         "--json",
                         "true"};
  for (const auto& folder : inputs.train_data->folders()) {
    arguments.insert(arguments.end(), {"--train-dataset", folder->path().string()});
  }
  if (options.max_length) { arguments.insert(arguments.end(), {"--max-length", std::to_string(*options.max_length)}); }
  if (options.eval_split) {
    arguments.insert(arguments.end(), {"--eval-split", std::to_string(*options.eval_split)});
  } else if (inputs.eval_data) {
    arguments.insert(arguments.end(), {"--eval-dataset", inputs.eval_data->names()});
  }
  if (inputs.eval_data) {
    arguments.insert(arguments.end(),
                     {"--eval-batch-size", std::to_string(options.eval_batch_size.value_or(options.batch_size))});
    if (options.eval_generate) {
      arguments.insert(arguments.end(), {"--eval-generate", std::to_string(*options.eval_generate)});
    }
  }
  if (options.quantization) { add_quantization(arguments, *options.quantization); }
  add_adapter(arguments, options.lora, adapter);
  return arguments;
}

std::optional<PlannedMemory> ask_plan(const std::filesystem::path& program, const Arguments& arguments) {
  if (program.empty()) { return std::nullopt; }
  Arguments command = {program.string(), "plan"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  // A plan that fails is not this worker's failure.
  const auto answer = command::output_of(command, kPatience, {"TORCHELASTIC_ERROR_FILE="});
  const nlohmann::json told = nlohmann::json::parse(answer.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!told.is_object()) { return std::nullopt; }
  try {
    PlannedMemory memory{
        .device = std::max(told.at("device_training").get<int64_t>(), told.at("device_evaluation").get<int64_t>()),
        .beside = told.at("device_beside").get<int64_t>(),
        .of_gpu = told.at("device_memory").get<int64_t>(),
        .lighter = {}};
    memory.lighter = told.at("lighter").get<std::vector<std::string>>();
    return memory;
  } catch (const nlohmann::json::exception&) { return std::nullopt; }
}

std::string describe(const PlannedMemory& memory) {
  const std::string line =
      str_cat("memory: by its plan training takes ", plan::memory_text(memory.device), " and ",
              plan::memory_text(memory.beside), " beside its tensors, of the GPU's ", plan::memory_text(memory.of_gpu));
  return memory.fits() ? line : str_cat(line, ": that will hardly fit. ", options_that_fit(memory));
}

std::string advice_on_memory(const PlannedMemory& memory) {
  const std::string takes =
      str_cat("By its plan the training takes ", plan::memory_text(memory.device), " and ",
              plan::memory_text(memory.beside), " beside its tensors, of the GPU's ", plan::memory_text(memory.of_gpu));
  if (!memory.fits()) { return str_cat(takes, ". ", options_that_fit(memory)); }
  return str_cat(
      takes,
      ": another program may hold the rest, as nvidia-smi tells. A smaller --batch-size or --batch-tokens needs less.");
}

}  // namespace mdl::worker

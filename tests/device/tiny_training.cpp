#include "tests/device/tiny_training.hpp"

#include <torch/torch.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/worker/dataset_files.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/batch/collate.hpp"
#include "worker/quantization/quantization.hpp"
#include "worker/training/loop/trainer.hpp"

namespace mdl::test::device {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPadToken = 0;
constexpr int64_t kAnswer = 4;  ///< tokens at the end of a row that are labelled

int64_t samples_of(Clips clips, int64_t row) {
  return clips == Clips::equal ? 9600 : 4800 + row * 3 % 5 * 1600;
}

void write_rows(const fs::path& folder, int64_t rows, Clips clips, const worker::model::ModelConfig& config) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<int8_t>> masks;
  std::vector<std::vector<int64_t>> labels;
  std::vector<std::vector<float>> waves;
  std::vector<int64_t> lengths;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t samples = samples_of(clips, row);
    std::vector<int32_t> tokens = {1, 2};
    tokens.insert(tokens.end(), worker::model::audio_token_count(samples, config),
                  static_cast<int32_t>(config.audio_token_id));
    for (int64_t i = 0; i < kAnswer + 1; ++i) { tokens.push_back(static_cast<int32_t>(3 + (row * 7 + i * 5) % 40)); }
    std::vector<int64_t> label(tokens.size(), -100);
    std::copy(tokens.end() - kAnswer, tokens.end(), label.end() - kAnswer);
    std::vector<float> wave;
    for (int64_t i = 0; i < samples; ++i) {
      wave.push_back(static_cast<float>(0.3 * std::sin(static_cast<double>(i * (row + 3)) * 0.01)));
    }
    ids.push_back(tokens);
    masks.emplace_back(tokens.size(), 1);
    labels.push_back(label);
    waves.push_back(wave);
    lengths.push_back(samples);
  }
  write_dataset(folder, {{{"input_ids", list_column<arrow::Int32Builder, int32_t>(ids)},
                          {"attention_mask", list_column<arrow::Int8Builder, int8_t>(masks)},
                          {"input_values", list_column<arrow::FloatBuilder, float>(waves)},
                          {"audio_length", column<arrow::Int64Builder, int64_t>(lengths)},
                          {"labels", list_column<arrow::Int64Builder, int64_t>(labels)}}});
}

worker::training::TrainOptions options_of(const TinyInputs& inputs, const TinyRun& run, const fs::path& output) {
  std::vector<std::string> arguments = {"--model-name",
                                        inputs.model(),
                                        "--train-dataset",
                                        inputs.train_data(),
                                        "--output",
                                        output,
                                        "--report-to",
                                        "json",
                                        "--lr",
                                        "1e-2",
                                        "--lora-rank",
                                        "4",
                                        "--batch-size",
                                        "2"};
  arguments.insert(arguments.end(), run.options.begin(), run.options.end());
  return worker::training::parse_train_options(arguments);
}

void read_log(TinyResult& result) {
  std::ifstream lines(result.output / "log.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.contains("loss")) {
      result.losses.push_back(entry.at("loss"));
      result.gradient_norms.push_back(entry.at("grad_norm"));
    }
    if (entry.contains("peak_vram_gib_rank_0")) { result.peak_gib = entry.at("peak_vram_gib_rank_0"); }
    if (entry.contains("eval_loss")) { result.evaluation_losses.push_back(entry.at("eval_loss")); }
  }
}

std::shared_ptr<worker::model::MiDashengLM> load_with(const worker::training::TrainOptions& options, const TinyRun& run,
                                                      at::Device device) {
  torch::manual_seed(options.seed);
  const worker::layers::Quantize quantize = options.quantization
                                                ? worker::quantization::make_quantizer(*options.quantization, device)
                                                : worker::layers::Quantize();
  auto model = worker::model::load_model(options.model_name, run.dtype, device, quantize);
  worker::adapter::attach_lora(*model, options.lora, options.seed);
  if (run.checkpoint) { worker::adapter::load_lora(*model, *run.checkpoint / "adapter_model.safetensors"); }
  return model;
}

}  // namespace

TinyInputs::TinyInputs(Clips clips, const std::string& decoder) {
  nlohmann::json config = tiny_config_json(decoder);
  config["audio_encoder_config"]["embed_dim"] = 16;  // heads of 8, the least that flash attention takes
  config["text_config"]["head_dim"] = 8;
  write_checkpoint(model(), config);
  config_ = worker::model::load_config(model());
  write_rows(train_data(), kRows, clips, config_);
  write_rows(evaluation_data(), kRows / 2, clips, config_);
}

std::shared_ptr<worker::model::MiDashengLM> load(const TinyInputs& inputs, const TinyRun& run, at::Device device) {
  return load_with(options_of(inputs, run, inputs.folder() / "unused"), run, device);
}

TinyResult train(const TinyInputs& inputs, const TinyRun& run, at::Device device,
                 worker::distributed::ProcessGroup* group) {
  static int runs = 0;
  TinyResult result;
  result.output = inputs.folder() / str_cat("output-", ++runs);
  const auto options = options_of(inputs, run, result.output);
  const worker::dataset::DatasetView train_data(options.train_datasets.paths.front());
  std::optional<worker::dataset::DatasetView> evaluation_data;
  if (options.eval_dataset) { evaluation_data.emplace(*options.eval_dataset); }

  const int64_t bytes_before = bytes_now();
  const Traffic before = traffic();
  const auto model = load_with(options, run, device);
  result.bytes_loaded = bytes_now() - bytes_before;
  result.loading = traffic() - before;
  worker::distributed::ProcessGroup alone;
  reset_peak();
  forget_stacks();
  worker::training::loop::Trainer({.options = options,
                                   .base_model = worker::adapter::BaseModel(inputs.model()),
                                   .model = *model,
                                   .train_data = train_data,
                                   .eval_data = evaluation_data ? &*evaluation_data : nullptr,
                                   .group = group ? *group : alone,
                                   .pad_token_id = kPadToken,
                                   .checkpoint = run.checkpoint})
      .train();
  result.training = traffic() - before - result.loading;
  result.bytes_at_peak = bytes_at_peak() - bytes_before;
  for (const auto& [name, tensor] : worker::adapter::lora_parameters(*model)) {
    result.trained.emplace_back(name, tensor.detach().cpu());
  }
  for (const auto& [name, tensor] : worker::adapter::running_statistics(*model)) {
    result.trained.emplace_back(name, tensor.detach().cpu());
  }
  read_log(result);
  return result;
}

worker::batch::Batch prompts(const TinyInputs& inputs, int64_t rows, at::Device device) {
  const worker::dataset::DatasetFolder data(inputs.train_data());
  std::vector<worker::dataset::Sample> samples;
  for (int64_t row = 0; row < rows; ++row) { samples.push_back(data.sample(row)); }
  worker::batch::Batch batch = worker::batch::collate(samples, kPadToken, at::kFloat);
  batch.input_values = batch.input_values.to(device);
  return batch;
}

}  // namespace mdl::test::device

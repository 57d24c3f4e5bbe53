// Test-only program for test_worker_inference.py.
//
//   generation_probe ids CHECKPOINT ROWS.csv BATCH_SIZE MAX_NEW_TOKENS [ADAPTER]
//     answers the rows as `mdl-toolkit inference` does; prints a JSON list of each answer's token ids, in order of rows
//   generation_probe scores IN.safetensors FOLDER OUT.safetensors
//     IN holds scores [rows, vocab] and seen (int64 [rows, n] token ids). Writes what FOLDER/generation_config.json
//     makes of them: penalized, filtered, and frequency [rows, vocab]: how often each token was sampled in 20,000
//     draws.

#include <torch/torch.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/adapter/adapter_folder.hpp"
#include "worker/batch/collate.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/generation/batch_plan.hpp"
#include "worker/generation/generate.hpp"
#include "worker/generation/next_token.hpp"
#include "worker/tensors/safetensors.hpp"

namespace {

int print_ids(const std::vector<std::string>& arguments) {
  const std::filesystem::path checkpoint = arguments.at(0);
  const auto model = mdl::worker::model::load_model(checkpoint, at::kFloat, at::kCPU);
  if (arguments.size() > 4) {
    mdl::worker::adapter::apply_adapter(
        *model, mdl::worker::adapter::AdapterFolder::load(arguments[4], mdl::worker::adapter::AdapterUse::answering));
  }
  const auto config = mdl::worker::generation::load_generation_config(checkpoint);
  const auto processor = mdl::worker::processor::Processor::load(checkpoint);
  const mdl::worker::convert::RowOptions options;
  const mdl::worker::convert::RowReader reader(processor, options, mdl::worker::convert::RowPurpose::answering);
  const auto file = mdl::worker::convert::read_rows(arguments.at(1));

  std::vector<std::size_t> rows;
  std::vector<int64_t> lengths;
  for (const auto& row : file.rows) {
    rows.push_back(rows.size());
    lengths.push_back(reader.check(row).tokens);
  }
  std::vector<std::vector<int64_t>> answers(rows.size());
  for (const auto& batch : mdl::worker::generation::plan_batches(lengths, rows, std::stoul(arguments.at(2)))) {
    std::vector<mdl::worker::convert::ConvertedRow> inputs;
    std::vector<mdl::worker::dataset::Sample> samples;
    for (const std::size_t row : batch) { inputs.push_back(reader.read(file.rows[row])); }
    for (const auto& input : inputs) {
      mdl::worker::dataset::Sample sample;
      sample.input_ids.assign(input.input_ids.begin(), input.input_ids.end());
      sample.attention_mask.assign(input.input_ids.size(), 1);
      sample.labels.assign(input.input_ids.size(), mdl::worker::dataset::kIgnoredLabel);
      sample.waveform = std::span<const float>(input.waveform);
      sample.audio_length = std::ssize(input.waveform);
      samples.push_back(sample);
    }
    const std::vector<mdl::worker::generation::Continuation> limits(batch.size(), {0, std::stol(arguments.at(3))});
    const auto made = mdl::worker::generation::generate(
        *model, mdl::worker::batch::collate(samples, processor.pad_token(), at::kFloat), limits, config, 0);
    for (std::size_t i = 0; i < batch.size(); ++i) { answers[batch[i]] = made[i]; }
  }
  std::cout << nlohmann::json(answers).dump() << '\n';
  return 0;
}

int write_scores(const std::vector<std::string>& arguments) {
  const mdl::worker::tensors::SafetensorsFile file(arguments.at(0));
  const auto config = mdl::worker::generation::load_generation_config(arguments.at(1));
  const at::Tensor scores = file.tensor("scores");
  const at::Tensor seen = at::zeros_like(scores, at::kBool).scatter(1, file.tensor("seen"), true);
  const at::Tensor penalized = mdl::worker::generation::penalize_repetition(scores, seen, config.repetition_penalty);
  const at::Tensor filtered = mdl::worker::generation::filter_for_sampling(penalized, config);
  constexpr int64_t kDraws = 20'000;
  std::vector<double> numbers;
  for (int64_t i = 0; i < scores.size(0) * kDraws; ++i) {
    numbers.push_back(mdl::worker::generation::random_number(1, static_cast<uint64_t>(i / kDraws),
                                                             static_cast<uint64_t>(i % kDraws)));
  }
  const at::Tensor tokens =
      mdl::worker::generation::sampled(filtered.repeat_interleave(kDraws, 0), numbers).view({scores.size(0), kDraws});
  const at::Tensor frequency =
      at::zeros_like(scores).scatter_add(1, tokens, at::full(tokens.sizes(), 1.0 / kDraws, scores.options()));
  mdl::worker::tensors::save_safetensors(arguments.at(2),
                                         {{"penalized", penalized}, {"filtered", filtered}, {"frequency", frequency}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    return arguments.at(0) == "ids" ? print_ids(rest) : write_scores(rest);
  } catch (const std::exception& error) {
    std::cerr << "generation_probe: " << error.what() << '\n';
    return 1;
  }
}

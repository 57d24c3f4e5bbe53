#include "worker/generation/batch_answers.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "worker/batch/collate.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/generation/generate.hpp"

namespace mdl::worker::generation {
namespace {

using nlohmann::json;

/// The row as the model's batches are made of.
dataset::Sample prompt_of(const convert::ConvertedRow& input) {
  dataset::Sample sample;
  sample.input_ids.assign(input.input_ids.begin(), input.input_ids.end());
  sample.attention_mask.assign(input.input_ids.size(), 1);
  sample.labels.assign(input.input_ids.size(), dataset::kIgnoredLabel);
  sample.waveform = std::span<const float>(input.waveform);
  sample.audio_length = std::ssize(input.waveform);
  return sample;
}

}  // namespace

LoadedRows load_rows(const std::vector<convert::Row>& rows, std::size_t threads,
                     const std::function<convert::ConvertedRow(const convert::Row& row)>& read) {
  std::vector<std::optional<convert::ConvertedRow>> inputs(rows.size());
  std::vector<std::string> problems(rows.size());
  dataset::parallel_for(rows.size(), threads, [&](std::size_t i) {
    try {
      inputs[i] = read(rows[i]);
    } catch (const std::exception& error) { problems[i] = convert::problem_of(rows[i], error); }
  });
  LoadedRows loaded;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (inputs[i]) {
      loaded.rows.push_back(rows[i]);
      loaded.inputs.push_back(std::move(*inputs[i]));
    } else {
      loaded.problems.push_back({rows[i].number, rows[i].line, problems[i]});
    }
  }
  return loaded;
}

std::string BatchAnswers::to_json() const {
  json document = {{"answers", json::array()}, {"problems", json::array()}, {"cut", cut}};
  for (const auto& [row, answer] : answers) { document["answers"].push_back({row, answer}); }
  for (const auto& problem : problems) { document["problems"].push_back({problem.number, problem.line, problem.what}); }
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

BatchAnswers BatchAnswers::from_json(const std::string& text) {
  const json document = json::parse(text);
  BatchAnswers batch;
  for (const json& answer : document.at("answers")) { batch.answers[answer.at(0)] = answer.at(1).get<std::string>(); }
  for (const json& problem : document.at("problems")) {
    batch.problems.push_back({problem.at(0), problem.at(1), problem.at(2).get<std::string>()});
  }
  batch.cut = document.at("cut").get<int64_t>();
  return batch;
}

int64_t AnswerLimits::most_prompt_tokens() const {
  return max_new_tokens ? std::numeric_limits<int64_t>::max() : max_length - 1;
}

int64_t AnswerLimits::most_new_tokens(int64_t prompt_tokens) const {
  return max_new_tokens.value_or(max_length - prompt_tokens);
}

BatchAnswers answer_rows(model::MiDashengLM& model, const processor::Processor& processor, const LoadedRows& loaded,
                         const AnswerLimits& limits, const GenerationConfig& config, uint64_t seed) {
  BatchAnswers batch{.answers = {}, .problems = loaded.problems};
  if (loaded.rows.empty()) { return batch; }
  std::vector<dataset::Sample> samples;
  std::vector<Continuation> continuations;
  for (std::size_t i = 0; i < loaded.rows.size(); ++i) {
    samples.push_back(prompt_of(loaded.inputs[i]));
    const convert::Row& row = loaded.rows[i];
    continuations.push_back({static_cast<uint64_t>(row.number),
                             limits.most_new_tokens(std::ssize(loaded.inputs[i].input_ids)),
                             convert::row_place(row.number, row.line)});
  }
  batch::Batch prompts = batch::collate(samples, processor.pad_token(), model.dtype());
  prompts.input_values = prompts.input_values.to(model.device());
  const auto answers = generate(model, prompts, continuations, config, seed);
  const auto& ends = config.eos_token_ids;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    batch.cut += std::ranges::find(ends, answers[i].back()) == ends.end() ? 1 : 0;
    const std::vector<text::tokenizer::TokenId> ids(answers[i].begin(), answers[i].end());
    batch.answers[loaded.rows[i].number] = processor.tokenizer().decode(ids, /*skip_special=*/true);
  }
  return batch;
}

}  // namespace mdl::worker::generation

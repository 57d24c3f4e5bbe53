#include "worker/generation/generate.hpp"

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using namespace mdl;
using namespace mdl::worker::batch;
using namespace mdl::worker::generation;
using namespace mdl::worker::model;

namespace {

/// One row of a batch as a batch of its own, without its padding.
Batch lone_row(const Batch& batch, int64_t row) {
  const int64_t padding = (batch.attention_mask[row] == 0).sum().item<int64_t>();
  const int64_t tokens = batch.input_ids.size(1) - padding, samples = batch.audio_length[row].item<int64_t>();
  const auto text = [&](const at::Tensor& x) { return x.narrow(0, row, 1).narrow(1, padding, tokens); };
  return {text(batch.input_ids), text(batch.attention_mask), batch.input_values.narrow(0, row, 1).narrow(1, 0, samples),
          batch.audio_length.narrow(0, row, 1), text(batch.labels)};
}

/// The likeliest continuation, computed from the start again for each token.
std::vector<int64_t> recomputed(MiDashengLM& model, Batch row, int64_t tokens) {
  std::vector<int64_t> answer;
  while (std::ssize(answer) < tokens) {
    const at::Tensor logits = model.logits(row);
    answer.push_back(logits[0][logits.size(1) - 1].argmax().item<int64_t>());
    row.input_ids = at::cat({row.input_ids, torch::tensor({{answer.back()}}, at::kLong)}, 1);
    row.attention_mask = at::ones_like(row.input_ids);
    row.labels = at::full_like(row.input_ids, -100);
  }
  return answer;
}

}  // namespace

TEST_CASE("answers of a batch with the cache are those of each row alone without it") {
  const at::NoGradGuard no_grad;
  const std::string decoder = GENERATE(from_range(test::all_decoders()));
  const test::TempDir folder;
  test::write_checkpoint(folder.path(), test::tiny_config_json(decoder));
  const auto model = load_model(folder.path(), at::kFloat, at::kCPU);
  const Batch batch = test::tiny_batch(model->config());
  // Over 64 tokens, so that the cache grows.
  const auto answers = generate(*model, batch, {{1, 70}, {2, 5}}, {}, 0);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0] == recomputed(*model, lone_row(batch, 0), 70));
  CHECK(answers[1] == recomputed(*model, lone_row(batch, 1), 5));
}

TEST_CASE("an answer ends with the token that ends answers, and not before the least length") {
  const at::NoGradGuard no_grad;
  const test::TempDir folder;
  test::write_checkpoint(folder.path(), test::tiny_config_json());
  const auto model = load_model(folder.path(), at::kFloat, at::kCPU);
  const Batch batch = test::tiny_batch(model->config());
  const auto whole = generate(*model, batch, {{1, 12}, {2, 12}}, {}, 0);

  GenerationConfig config;
  config.eos_token_ids = {whole[0][2], 999};
  const auto ended = generate(*model, batch, {{1, 12}, {2, 12}}, config, 0);
  const auto first = std::find(whole[0].begin(), whole[0].end(), whole[0][2]);
  CHECK(ended[0] == std::vector<int64_t>(whole[0].begin(), first + 1));

  config.min_new_tokens = 6;
  for (const auto& answer : generate(*model, batch, {{1, 12}, {2, 12}}, config, 0)) {
    for (size_t i = 0; i < 6; ++i) { CHECK(answer.at(i) != config.eos_token_ids[0]); }
  }
}

TEST_CASE("what is sampled depends on the seed and the sequence, not on the batch") {
  const at::NoGradGuard no_grad;
  const test::TempDir folder;
  test::write_checkpoint(folder.path(), test::tiny_config_json());
  const auto model = load_model(folder.path(), at::kFloat, at::kCPU);
  const Batch batch = test::tiny_batch(model->config());
  GenerationConfig config;
  config.do_sample = true;
  config.repetition_penalty = 1.1;
  const auto both = generate(*model, batch, {{1, 16}, {2, 16}}, config, 5);
  CHECK(generate(*model, lone_row(batch, 1), {{2, 16}}, config, 5)[0] == both[1]);
  CHECK(generate(*model, lone_row(batch, 1), {{2, 16}}, config, 6)[0] != both[1]);
  CHECK(generate(*model, lone_row(batch, 1), {{3, 16}}, config, 5)[0] != both[1]);
}

TEST_CASE("weights that give no numbers are told with the row") {
  const test::TempDir folder;
  test::write_checkpoint(folder.path(), test::tiny_config_json());
  const auto model = load_model(folder.path(), at::kFloat, at::kCPU);
  model->decoder->lm_head->weight.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_WITH(generate(*model, test::tiny_batch(model->config()), {{0, 4, "7"}, {1, 4, "8"}}, {}, 0),
                    Catch::Contains("row 7:") && Catch::Contains("not finite") && !Catch::Contains("--bf16"));
}

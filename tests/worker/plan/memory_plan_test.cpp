#include "worker/plan/memory_plan.hpp"

#include <algorithm>
#include <cmath>

#include <catch2/catch.hpp>
#include "worker/plan/sized_device.hpp"
#include "worker/training/data/sampler.hpp"
#include "worker/training/data/token_batches.hpp"

using namespace mdl::worker;
using namespace mdl::worker::plan;

namespace {

/// The published 7B.
model::ModelConfig seven_billion() {
  model::ModelConfig config;
  config.audio.embed_dim = 1280;
  config.audio.depth = 32;
  config.audio.num_heads = 16;
  config.audio.target_length = 1008;
  config.text = {.hidden_size = 3584,
                 .num_layers = 28,
                 .intermediate_size = 18944,
                 .num_heads = 28,
                 .num_kv_heads = 4,
                 .head_dim = 128,
                 .vocab_size = 152064,
                 .rope_theta = 1e6};
  config.audio_token_id = 151646;
  return config;
}

model::ModelConfig small() {
  model::ModelConfig config;
  config.audio.embed_dim = 64;
  config.audio.depth = 2;
  config.audio.num_heads = 4;
  config.text = {.hidden_size = 128,
                 .num_layers = 3,
                 .intermediate_size = 256,
                 .num_heads = 8,
                 .num_kv_heads = 2,
                 .head_dim = 16,
                 .vocab_size = 1000};
  config.audio_token_id = 7;
  return config;
}

/// Sounds of ten seconds, 300 tokens, 50 of them learned.
PlannedRun run_of(const model::ModelConfig& config) {
  return {.settings = StepSettings{.config = config}, .rows = HeaviestRows(RowSize{160000, 300, 50})};
}

double in_gib(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

int64_t sum_of_parts(const StepMemory& memory) {
  return memory.weights + memory.adapters + memory.moments + memory.gradients + memory.kept + memory.working;
}

}  // namespace

TEST_CASE("a step of the 7B takes what was counted when each of its operators computed") {
  // 17.7, 29.9 and 8.2 GiB were counted once on a device of host memory, which took minutes and 30 GiB. Since then
  // silu(gate) is not kept and adapters need no float32 copies.
  PlannedRun run = run_of(seven_billion());
  const auto within = [](double counted) { return Approx(counted).epsilon(0.03); };
  CHECK(in_gib(plan_memory(run).device) == within(17.3));
  run.settings.gradient_checkpointing = false;
  CHECK(in_gib(plan_memory(run).device) == within(27.5));
  run.settings.gradient_checkpointing = true;
  run.settings.quantization = quantization::Quantization{.kind = quantization::Quantization::Kind::nf4};
  CHECK(in_gib(plan_memory(run).device) == within(7.8));
}

TEST_CASE("the parts of a step's memory add up to its peak, whatever is trained and how") {
  using quantization::Quantization;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool checkpointing : {false, true}) {
      for (const double dropout : {0.0, 0.1}) {
        for (const std::optional<Quantization>& bits :
             {std::optional<Quantization>(), std::optional(Quantization{.kind = Quantization::Kind::int8}),
              std::optional(Quantization{.kind = Quantization::Kind::nf4, .double_quantization = true})}) {
          PlannedRun run = run_of(small());
          run.settings.dtype = dtype;
          run.settings.gradient_checkpointing = checkpointing;
          run.settings.lora.dropout = dropout;
          run.settings.quantization = bits;
          run.settings.lora.targets.insert(adapter::Target::embed_tokens);
          run.settings.lora.targets.insert(adapter::Target::lm_head);
          run.accumulation_steps = 2;
          run.eval_rows = run.rows;
          run.eval_batch_size = 4;
          const MemoryPlan plan = plan_memory(run);
          CHECK(sum_of_parts(plan.step) == plan.step.peak);
          // Two moments of the gradients' sizes, and a count for each tensor.
          CHECK(static_cast<double>(plan.step.moments) ==
                Approx(2.0 * static_cast<double>(plan.step.gradients)).epsilon(0.02));
          CHECK(plan.step.working > 0);
          CHECK(plan.evaluation > plan.step.weights);
          CHECK(plan.evaluation < plan.step.peak);
        }
      }
    }
  }
  CHECK(sized_bytes().live == 0);
}

TEST_CASE("weights count with their type, and tied ones once") {
  const auto weights_of = [](at::ScalarType dtype, bool tied) {
    PlannedRun run = run_of(small());
    run.settings.dtype = dtype;
    run.settings.config.text.tie_word_embeddings = tied;
    return plan_memory(run).step.weights;
  };
  const auto& text = small().text;
  const int64_t of_embeddings = text.vocab_size * text.hidden_size;
  CHECK(weights_of(at::kFloat, false) - weights_of(at::kFloat, true) == 4 * of_embeddings);
  CHECK(weights_of(at::kBFloat16, false) - weights_of(at::kBFloat16, true) == 2 * of_embeddings);
  // The window and the filters of the sound stay in float32.
  CHECK(static_cast<double>(weights_of(at::kFloat, false)) ==
        Approx(2.0 * static_cast<double>(weights_of(at::kBFloat16, false))).epsilon(0.05));
}

TEST_CASE("the largest batch is the last one that fits") {
  PlannedRun run = run_of(small());
  run.batch_size = 11;
  const int64_t takes = plan_memory(run).device + kBesideTensors;
  CHECK(largest_batch(run, takes) == 11);
  CHECK(largest_batch(run, takes - 1) == 10);
  run.batch_size = 1;
  CHECK(largest_batch(run, plan_memory(run).device + kBesideTensors - 1) == 0);
}

TEST_CASE("dropout costs the 7B a mask, and no float32 copy of its inputs") {
  PlannedRun run = run_of(seven_billion());
  run.settings.gradient_checkpointing = false;
  run.settings.lora.dropout = 0.1;
  CHECK(in_gib(plan_memory(run).device) == Approx(29.6).epsilon(0.01));  // 33.3 with copies
}

TEST_CASE("what does not fit is told what would, the mildest first") {
  PlannedRun run = run_of(seven_billion());
  run.settings.gradient_checkpointing = false;
  const auto lines = what_fits(run, int64_t{24} << 30);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "--batch-size 4 takes 21.98 GiB");
  CHECK(lines[1] == "--gradient-checkpointing true takes 17.34 GiB");
  CHECK_THAT(lines[2],
             Catch::StartsWith("--gradient-checkpointing true --quantization 4bit --quantization-type nf4 takes "));
  CHECK(what_fits(run, int64_t{2} << 30).empty());
}

TEST_CASE("a batch of the heaviest rows has the longest sounds, texts and answers of a dataset") {
  const HeaviestRows rows(std::vector<RowSize>{{10, 5, 1}, {30, 4, 2}, {20, 6, 3}});
  const auto two = rows.first(2);
  REQUIRE(two.size() == 2);
  CHECK(two[0].samples == 30);
  CHECK(two[0].tokens == 6);
  CHECK(two[1].samples == 20);
  CHECK(two[1].labels == 2);
  CHECK(rows.first(5).back().samples == 10);
}

TEST_CASE("an evaluation has its own rows, and batches as large as the training's where nothing else is said") {
  PlannedRun run = run_of(small());
  const int64_t training = plan_memory(run).device;
  run.eval_rows = HeaviestRows(RowSize{16 * 160000, 9000, 50});
  CHECK(plan_memory(run).device > training);
  run.batch_size = 1;
  const int64_t of_one = plan_memory(run).device + kBesideTensors;
  run.batch_size = 64;  // whose evaluation would not fit
  CHECK(largest_batch(run, of_one) == 1);
}

TEST_CASE("answers of an evaluation take a cache of keys and values for prompt and answer") {
  PlannedRun run = run_of(small());
  run.eval_rows = HeaviestRows(RowSize{3200, 20, 2});  // whose own evaluation takes little
  run.eval_batch_size = 8;
  const MemoryPlan plan = plan_memory(run);
  run.answered_rows = 100;
  run.spare_tokens = 1200;
  const auto& text = run.settings.config.text;
  const int64_t value = run.settings.dtype == at::kFloat ? 4 : 2;
  const int64_t cache = 2 * text.num_layers * 8 * (18 + 1202) * text.num_kv_heads * text.head_dim * value;
  const int64_t of_eight = plan_memory(run).evaluation;
  CHECK(of_eight > plan.evaluation);
  CHECK(of_eight > plan.step.weights + cache);
  run.answered_rows = 1;  // fewer than a batch has
  CHECK(plan_memory(run).evaluation < of_eight);
}

namespace {

/// Rows of 0.2 to 25 seconds with 20 to 170 tokens of text, some of them learned.
std::vector<RowSize> mixed_sizes(int64_t rows) {
  std::vector<RowSize> sizes;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t samples = 3200 + i * i * 7919 % 396800, text = 20 + i * 37 % 150;
    sizes.push_back({samples, model::audio_token_count(samples, small()) + text, text / 2});
  }
  return sizes;
}

}  // namespace

TEST_CASE("no batch of at most so many tokens takes more memory than the plan of a run by tokens") {
  const std::vector<RowSize> sizes = mixed_sizes(400);
  for (const bool checkpointing : {false, true}) {
    PlannedRun run{.settings = StepSettings{.config = small(), .gradient_checkpointing = checkpointing},
                   .rows = HeaviestRows(sizes)};
    run.batch_tokens = 1500;
    const int64_t planned = plan_memory(run).device;
    StepMeter meter(run.settings);
    int64_t heaviest = 0;
    training::data::TokenBatches batches{.most = 1500};
    for (const RowSize& row : sizes) {
      const int64_t sound = model::audio_token_count(row.samples, small());
      batches.lengths.push_back({.text = row.tokens - sound, .sound = sound});
    }
    const auto order = training::data::order_by_length(training::data::epoch_order(400, 1, 0), batches.lengths);
    for (const auto& rows : training::data::cut_by_tokens(order, batches, 0)) {
      std::vector<RowSize> batch;
      for (const int64_t row : rows) { batch.push_back(sizes[static_cast<size_t>(row)]); }
      heaviest = std::max(heaviest, meter.training(batch).peak);
    }
    CHECK(heaviest <= planned);
    CHECK(2 * heaviest > planned);
  }
}

TEST_CASE("of a run by tokens the largest number of tokens is told that fits") {
  PlannedRun run = run_of(small());
  run.batch_tokens = 1000;
  run.batch_size = 1000;  // does not count
  const MemoryPlan plan = plan_memory(run);
  const int64_t takes = plan.device + kBesideTensors;
  CHECK(largest_batch(run, takes) >= 1000);
  CHECK(largest_batch(run, takes - 1) < 1000);
  CHECK(largest_batch(run, takes - 1) > 900);
  CHECK_THAT(what_fits(run, takes - 1).at(0), Catch::StartsWith("--batch-tokens 9"));
  CHECK(plan_json(run, plan, takes).at("largest_batch_tokens") >= 1000);
  CHECK(plan_json(run, plan, takes).at("batch_tokens") == 1000);
  CHECK_THAT(plan_table(run, plan, takes, "the GPU"),
             Catch::Contains("its heaviest batch: 1000 tokens, the longest row"));
  run.batch_tokens = 2000;
  CHECK(plan_memory(run).step.kept > plan.step.kept);
  CHECK(plan_memory(run).host_batches == 2 * plan.host_batches);
  // Ten rows of 300 tokens are what eight rows and two more take.
  run.batch_tokens = 3000;
  PlannedRun by_rows = run_of(small());
  by_rows.batch_size = 10;
  CHECK(plan_memory(run).step.peak == plan_memory(by_rows).step.peak);
}

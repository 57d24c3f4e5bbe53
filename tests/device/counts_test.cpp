#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/device/tiny_training.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/generation/generate.hpp"
#include "worker/layers/layer.hpp"

using namespace mdl::test::device;

namespace {

constexpr int64_t kStepsOfAnEpoch = TinyInputs::kRows / 2;

/// What one more of something (a step, a token) costs, and all together in memory.
struct Costs {
  int64_t host_reads, blocking_copies, other_copies, kernels;
  int64_t peak_bytes = 0;
};

Costs costs(const Traffic& traffic, int64_t times, int64_t peak_bytes) {
  return {traffic.host_reads / times, traffic.blocking_copies / times, traffic.other_copies / times,
          traffic.kernels / times, peak_bytes};
}

void check_at_most(const char* what, int64_t found, int64_t bound, const std::string& where) {
  INFO(what << where);
  CHECK(found <= bound);
}

/// Today's costs are the bounds. Who makes one smaller writes the smaller number here.
void check_costs(const Costs& found, const Costs& bound) {
  // Looking up the names of functions takes a while.
  const auto where = [](int64_t number, int64_t enough, Wait wait) {
    return number > enough ? describe_waits(wait) : std::string();
  };
  check_at_most("host reads", found.host_reads, bound.host_reads,
                where(found.host_reads, bound.host_reads, Wait::host_read));
  check_at_most("blocking copies to the device", found.blocking_copies, bound.blocking_copies,
                where(found.blocking_copies, bound.blocking_copies, Wait::blocking_copy));
  check_at_most("copies of pinned memory", found.other_copies, bound.other_copies, "");
  check_at_most("kernels", found.kernels, bound.kernels, "");
  check_at_most("bytes at the peak", found.peak_bytes, bound.peak_bytes, "");
}

TinyResult train_epochs(const TinyInputs& inputs, TinyRun run, const char* epochs) {
  run.options.insert(run.options.end(), {"--num-epochs", epochs});
  return train(inputs, run, kCountingDevice);
}

/// Of a step: what a second epoch adds to the first.
Costs costs_of_a_step(const TinyInputs& inputs, const TinyRun& run, int64_t steps_of_an_epoch = kStepsOfAnEpoch) {
  const Traffic one = train_epochs(inputs, run, "1").training;
  const TinyResult two = train_epochs(inputs, run, "2");
  return costs(two.training - one, steps_of_an_epoch, two.bytes_at_peak);
}

}  // namespace

TEST_CASE("a training step reads once from the device, and its other costs do not grow") {
  const TinyInputs inputs(Clips::equal);
  SECTION("float32") {
    check_costs(costs_of_a_step(inputs, {.options = {"--gradient-checkpointing", "false"}}), {1, 0, 2, 346, 921600});
  }
  SECTION("checkpointing") {
    check_costs(costs_of_a_step(inputs, {}), {1, 0, 2, 412, 921600});
  }
  SECTION("bfloat16") {
    check_costs(costs_of_a_step(inputs, {.dtype = at::kBFloat16}), {1, 0, 2, 466, 891392});
  }
  SECTION("two micro-batches") {
    const TinyRun run{.options = {"--gradient-accumulation-steps", "2"}};
    check_costs(costs_of_a_step(inputs, run, kStepsOfAnEpoch / 2), {1, 0, 3, 833, 935936});
  }
  SECTION("dropout") {
    check_costs(costs_of_a_step(inputs, {.options = {"--lora-dropout", "0.1"}}), {1, 0, 2, 479, 921600});
  }
}

TEST_CASE("loading copies each tensor once and reads nothing back") {
  const TinyInputs inputs(Clips::equal);
  const auto model = load(inputs, {}, at::kCPU);
  const auto tensors = std::ssize(mdl::worker::layers::tensor_slots(*model));
  const auto adapters = std::ssize(mdl::worker::adapter::lora_parameters(*model));
  const TinyResult result = train_epochs(inputs, {}, "0.25");
  check_costs(costs(result.loading, 1, result.bytes_loaded), {0, tensors + adapters, 0, 12, 170496});
}

TEST_CASE("an evaluation reads once from the device, however many batches it has") {
  const TinyInputs inputs(Clips::equal);
  const TinyResult without = train_epochs(inputs, {}, "1");
  const TinyResult with =
      train_epochs(inputs, {.options = {"--eval-dataset", inputs.evaluation_data(), "--eval-steps", "4"}}, "1");
  check_costs(costs(with.training - without.training, 1, 0), {1, 0, 3, 300});
}

namespace {

/// Of one more token of three answers.
Costs costs_of_a_token(Clips clips, at::ScalarType dtype, const mdl::worker::generation::GenerationConfig& config) {
  const TinyInputs inputs(clips);
  const auto model = load(inputs, {.dtype = dtype}, kCountingDevice);
  model->eval();
  const auto batch = prompts(inputs, 3, kCountingDevice);
  const auto traffic_of = [&](int64_t tokens) {
    const std::vector<mdl::worker::generation::Continuation> three = {{0, tokens}, {1, tokens}, {2, tokens}};
    const Traffic before = traffic();
    forget_stacks();
    mdl::worker::generation::generate(*model, batch, three, config, /*seed=*/1);
    return traffic() - before;
  };
  const Traffic few = traffic_of(8);
  return costs(traffic_of(28) - few, 20, 0);
}

}  // namespace

TEST_CASE("a token of an answer reads once from the device, and its other costs do not grow") {
  SECTION("of one length") {
    check_costs(costs_of_a_token(Clips::equal, at::kFloat, {}), {1, 0, 0, 80});
  }
  SECTION("of mixed lengths") {
    check_costs(costs_of_a_token(Clips::mixed, at::kFloat, {}), {1, 0, 0, 86});
  }
  SECTION("of mixed lengths, bfloat16") {
    check_costs(costs_of_a_token(Clips::mixed, at::kBFloat16, {}), {1, 0, 0, 96});
  }
  SECTION("of mixed lengths, sampled") {
    mdl::worker::generation::GenerationConfig config;
    config.do_sample = true;
    check_costs(costs_of_a_token(Clips::mixed, at::kFloat, config), {1, 0, 1, 97});
  }
}

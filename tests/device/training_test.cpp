#include <torch/torch.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"
#include "tests/device/traffic.hpp"
#include "worker/training/loop/step_clock.hpp"

using namespace mdl::test::device;

namespace {

/// How far a number may be from the CPU's: in float32 only sums are made in another order, in bfloat16 roundings
/// differ.
struct Tolerance {
  double relative, absolute;
};
constexpr Tolerance kFloat32{1e-4, 1e-5};
constexpr Tolerance kBfloat16{2e-2, 2e-2};

void check_same(const std::vector<double>& found, const std::vector<double>& expected, const Tolerance& tolerance) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(std::abs(found[i] - expected[i]) <= tolerance.absolute + tolerance.relative * std::abs(expected[i]));
  }
}

void check_same(const TinyResult& found, const TinyResult& expected, const Tolerance& tolerance) {
  check_same(found.losses, expected.losses, tolerance);
  check_same(found.gradient_norms, expected.gradient_norms, {10 * tolerance.relative, tolerance.absolute});
  check_same(found.evaluation_losses, expected.evaluation_losses, tolerance);
  REQUIRE(found.trained.size() == expected.trained.size());
  if (tolerance.relative > kFloat32.relative) { return; }  // Adam makes full steps of what is nearly nothing
  for (size_t i = 0; i < found.trained.size(); ++i) {
    INFO(found.trained[i].first);
    CHECK(torch::allclose(found.trained[i].second, expected.trained[i].second, 1e-2, 1e-3));
  }
}

struct Variant {
  std::string name;
  TinyRun run;
  Tolerance tolerance = kFloat32;
};

TinyRun with(std::vector<std::string> options, at::ScalarType dtype = at::kFloat) {
  return {.options = std::move(options), .dtype = dtype};
}

const std::vector<Variant> kVariants = {
    {"float32", with({"--gradient-checkpointing", "false"})},
    {"checkpointing", with({"--gradient-checkpointing", "true"})},
    {"bfloat16", with({}, at::kBFloat16), kBfloat16},
    {"accumulation", with({"--gradient-accumulation-steps", "2", "--num-epochs", "2"})},
    {"dropout", with({"--lora-dropout", "0.2", "--gradient-checkpointing", "false"})},
    {"dropout and checkpointing", with({"--lora-dropout", "0.2"})},
    {"modules trained whole", with({"--train-target", "encoder,projector,decoder,embed_tokens,lm_head"})},
    {"modules trained whole in bfloat16",
     with({"--train-target", "encoder,projector,decoder,embed_tokens,lm_head"}, at::kBFloat16), kBfloat16},
    {"frozen statistics", with({"--batch-norm", "frozen"})},
};

}  // namespace

TEST_CASE("training on a device gives the CPU's losses, gradients and weights, whatever the options") {
  const TinyInputs inputs(Clips::mixed);
  for (const Variant& variant : kVariants) {
    INFO(variant.name);
    TinyRun run = variant.run;
    const std::string evaluation = inputs.evaluation_data();
    for (const std::string& word : {std::string("--eval-dataset"), evaluation, std::string("--eval-steps=2")}) {
      run.options.push_back(word);
    }
    const TinyResult expected = train(inputs, run, at::kCPU);
    const TinyResult found = train(inputs, run, kCountingDevice);
    CHECK(expected.losses.size() == TinyInputs::kRows / 2);
    CHECK(expected.evaluation_losses.size() == 2);
    CHECK(expected.training.kernels == 0);
    CHECK(found.training.kernels > 0);
    check_same(found, expected, variant.tolerance);
  }
}

TEST_CASE("clips of one length, and a decoder with norms of its heads, train on a device as on the CPU") {
  const TinyInputs inputs(Clips::equal, "qwen3");
  check_same(train(inputs, {}, kCountingDevice), train(inputs, {}, at::kCPU), kFloat32);
}

TEST_CASE("a run goes on from its checkpoint on a device, with dropout too, as if it had not been interrupted") {
  const TinyInputs inputs(Clips::mixed);
  const TinyRun whole = with({"--save-steps", "2", "--lora-dropout", "0.1"});
  const TinyResult through = train(inputs, whole, kCountingDevice);
  TinyRun rest = whole;
  rest.checkpoint = through.output / "checkpoint-2";
  rest.options.insert(rest.options.end(), {"--resume-from-checkpoint", rest.checkpoint->string()});
  check_same(train(inputs, rest, kCountingDevice), through, kFloat32);
  check_same(train(inputs, rest, at::kCPU), through, kFloat32);  // written on a device, gone on with elsewhere
}

TEST_CASE("a device's clock divides a step into work and waiting, and no host waits for it") {
  constexpr auto kNap = std::chrono::milliseconds(5);
  constexpr double kSeconds = 0.005;
  mdl::worker::training::loop::StepClock clock(kCountingDevice);
  for (int step = 1; step <= 2; ++step) {
    clock.begin();
    std::this_thread::sleep_for(kNap);
    clock.wait();
    std::this_thread::sleep_for(2 * kNap);
    clock.work();
    clock.wait();  // the host's alone
    clock.work();
    const Traffic before = traffic();
    clock.end();
    CHECK((traffic() - before).host_reads == 0);
    CHECK(clock.own() >= step * kSeconds);
    CHECK(clock.waiting() >= 2 * step * kSeconds);
  }
  const double own = clock.own(), waiting = clock.waiting();
  clock.end();  // none has begun
  CHECK(clock.own() == own);
  CHECK(clock.waiting() == waiting);
  clock.begin();  // alone: there is nothing to wait for
  std::this_thread::sleep_for(kNap);
  clock.work();
  clock.end();
  CHECK(clock.own() >= own + kSeconds);
  CHECK(clock.waiting() == waiting);
}

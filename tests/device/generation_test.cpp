#include "worker/generation/generate.hpp"

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"

using namespace mdl::test::device;
using namespace mdl::worker::generation;

namespace {

constexpr int64_t kClips = 3;

std::vector<std::vector<int64_t>> answers(const TinyInputs& inputs, at::Device device, int64_t tokens,
                                          const GenerationConfig& config) {
  const auto model = load(inputs, {}, device);
  model->eval();
  std::vector<Continuation> continuations;
  for (uint64_t row = 0; row < kClips; ++row) { continuations.push_back({row, tokens - static_cast<int64_t>(row)}); }
  return generate(*model, prompts(inputs, kClips, device), continuations, config, /*seed=*/1);
}

}  // namespace

TEST_CASE("a device answers as the CPU does: greedily, by sampling, with a penalty, for equal and mixed clips") {
  const TinyInputs inputs(GENERATE(Clips::equal, Clips::mixed));
  GenerationConfig config;
  CHECK(answers(inputs, kCountingDevice, 70, config) == answers(inputs, at::kCPU, 70, config));
  config.repetition_penalty = 1.3;
  config.do_sample = true;
  config.top_p = 0.9;
  CHECK(answers(inputs, kCountingDevice, 12, config) == answers(inputs, at::kCPU, 12, config));
}

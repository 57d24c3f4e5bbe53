#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"

using namespace mdl::test::device;

namespace {

/// What follows three prompts and 70 tokens that are given: more than a cache has room for at first. After 40 of them
/// one sequence ends and the others change places.
at::Tensor logits_of_given_tokens(const TinyInputs& inputs, at::Device device) {
  const torch::NoGradGuard no_grad;
  const auto model = load(inputs, {.dtype = at::kBFloat16}, device);
  model->eval();
  auto prefill = model->read_prompts(prompts(inputs, 3, device));
  std::vector<at::Tensor> all = {prefill.logits.cpu()};
  for (int64_t step = 0; step < 70; ++step) {
    if (step == 40) { prefill.cache.keep({2, 0}); }
    const at::Tensor tokens = (torch::arange(prefill.cache.rows()) * 7 + step * 3) % 40;
    all.push_back(model->next_logits(tokens.to(device), prefill.cache).cpu());
  }
  return torch::cat(all);
}

}  // namespace

TEST_CASE("in bfloat16 a token attends to its row of the cache by flash attention, as the CPU does with a mask") {
  const TinyInputs inputs(GENERATE(Clips::equal, Clips::mixed));
  const at::Tensor expected = logits_of_given_tokens(inputs, at::kCPU);
  const at::Tensor found = logits_of_given_tokens(inputs, kCountingDevice);
  CHECK((found - expected).abs().max().item<double>() < 0.03 * expected.abs().max().item<double>());
}

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"
#include "worker/quantization/four_bit_weight.hpp"
#include "worker/quantization/int8_weight.hpp"

using namespace mdl::test::device;
using namespace mdl::worker::quantization;

namespace {

bool same(const at::Tensor& of_device, const at::Tensor& of_cpu) {
  return of_device.device() == kCountingDevice && torch::equal(of_device.cpu(), of_cpu);
}

TinyRun quantized(std::vector<std::string> options) {
  options.insert(options.begin(), "--quantization");
  return {.options = std::move(options)};
}

double evaluated_loss(const TinyInputs& inputs, const TinyRun& run, at::Device device) {
  const torch::NoGradGuard no_grad;
  const auto model = load(inputs, run, device);
  model->eval();
  return model->loss_sum(prompts(inputs, 4, device)).item<double>();
}

void check_near(const std::vector<double>& found, const std::vector<double>& expected, double relative) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) { CHECK(found[i] == Approx(expected[i]).epsilon(relative)); }
}

}  // namespace

TEST_CASE("weights in 4 and 8 bits are on a device what they are on the CPU, bit by bit") {
  torch::manual_seed(3);
  for (const int64_t columns : {24, 128}) {  // rows that end in the middle of a block, and such that do not
    const at::Tensor weight = torch::randn({10, columns});
    for (const FourBitType type : {FourBitType::fp4, FourBitType::nf4}) {
      for (const bool doubly : {false, true}) {
        const auto expected = FourBitWeight::quantize(weight, type, doubly);
        const auto found = FourBitWeight::quantize(weight.to(kCountingDevice), type, doubly);
        CHECK(same(found->codes(), expected->codes()));
        CHECK(same(found->scales(), expected->scales()));
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
          CHECK(same(found->dequantized(dtype), expected->dequantized(dtype)));
        }
      }
    }
    const auto expected = Int8Weight::quantize(weight), found = Int8Weight::quantize(weight.to(kCountingDevice));
    CHECK(same(found->codes(), expected->codes()));
    CHECK(same(found->dequantized(at::kBFloat16), expected->dequantized(at::kBFloat16)));
    const at::Tensor x = torch::randn({6, columns}), bias = torch::randn({10});
    x.select(1, 3).mul_(50);
    CHECK(same(found->multiply(x.to(kCountingDevice), bias.to(kCountingDevice), false),
               expected->multiply(x, bias, false)));
  }
}

TEST_CASE("the constants of 4-bit weights are made once a device") {
  const at::Tensor weight = torch::randn({64, 64}).to(kCountingDevice);
  const auto first = FourBitWeight::quantize(weight, FourBitType::nf4, true);
  const auto second = FourBitWeight::quantize(weight * 2, FourBitType::nf4, true);
  first->dequantized(at::kFloat);
  const Traffic before = traffic();
  forget_stacks();
  first->dequantized(at::kFloat);
  second->dequantized(at::kBFloat16);
  const Traffic found = traffic() - before;
  INFO(describe_waits(Wait::blocking_copy));
  CHECK(found.blocking_copies == 0);
  CHECK(found.host_reads == 0);
  CHECK(dynamic_type_values(kCountingDevice).is_same(dynamic_type_values(kCountingDevice)));
}

TEST_CASE("training in 4 bits on a device gives the CPU's losses and gradients") {
  const TinyInputs inputs(Clips::mixed);
  for (const TinyRun& run : {quantized({"4bit"}), quantized({"4bit", "--quantization-type", "nf4"}),
                             quantized({"4bit", "--quantization-type", "nf4", "--double-quantization", "true",
                                        "--gradient-checkpointing", "false"})}) {
    TinyRun with_evaluation = run;
    const std::string evaluation = inputs.evaluation_data();
    with_evaluation.options.insert(with_evaluation.options.end(), {"--eval-dataset", evaluation, "--eval-steps=2"});
    const TinyResult expected = train(inputs, with_evaluation, at::kCPU);
    const TinyResult found = train(inputs, with_evaluation, kCountingDevice);
    CHECK(expected.evaluation_losses.size() == 2);
    check_near(found.losses, expected.losses, 1e-4);
    check_near(found.gradient_norms, expected.gradient_norms, 1e-3);
    check_near(found.evaluation_losses, expected.evaluation_losses, 1e-4);
  }
}

TEST_CASE("in 8 bits a device evaluates as the CPU, and trains on inputs of 8 bits, whose losses are near the CPU's") {
  const TinyInputs inputs(Clips::mixed);
  const TinyRun run = quantized({"8bit"});
  CHECK(evaluated_loss(inputs, run, kCountingDevice) == Approx(evaluated_loss(inputs, run, at::kCPU)).epsilon(1e-4));
  // On the CPU the package multiplies with the dequantized weight while training, on a GPU it does not.
  check_near(train(inputs, run, kCountingDevice).losses, train(inputs, run, at::kCPU).losses, 0.05);
}

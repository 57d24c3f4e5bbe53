#include "worker/quantization/quantization.hpp"

#include <torch/torch.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"
#include "worker/layers/linear.hpp"
#include "worker/quantization/bitsandbytes.hpp"
#include "worker/quantization/four_bit_weight.hpp"
#include "worker/quantization/int8_weight.hpp"

using namespace mdl;
using namespace mdl::worker::layers;
using namespace mdl::worker::quantization;

TEST_CASE("of a package's CUDA libraries the one for this runtime is taken, else one of the same major version") {
  const test::TempDir folder;
  for (const char* name : {"libbitsandbytes_cpu.so", "libbitsandbytes_cuda118.so", "libbitsandbytes_cuda124.so",
                           "libbitsandbytes_cuda128.so", "libbitsandbytes_cuda130.so", "libbitsandbytes_cudaold.so"}) {
    std::ofstream(folder.path() / name).put('x');
  }
  CHECK(choose_cuda_library(folder.path(), 124) == "libbitsandbytes_cuda124.so");
  CHECK(choose_cuda_library(folder.path(), 129) == "libbitsandbytes_cuda128.so");
  CHECK(choose_cuda_library(folder.path(), 121) == "libbitsandbytes_cuda124.so");
  CHECK(choose_cuda_library(folder.path(), 132) == "libbitsandbytes_cuda130.so");
  CHECK(choose_cuda_library(folder.path(), 140).empty());
}

TEST_CASE("the version of the package is read from the folder that pip puts beside it") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder.path() / "bitsandbytes");
  CHECK(package_version(folder.path() / "bitsandbytes").empty());
  std::filesystem::create_directories(folder.path() / "bitsandbytes-0.50.2.dist-info");
  CHECK(package_version(folder.path() / "bitsandbytes") == "0.50.2");
}

TEST_CASE("the 8-bit dynamic type has 256 values between -1 and 1, dense around zero") {
  const at::Tensor values = dynamic_type_values(at::kCPU);
  REQUIRE(values.size(0) == 256);
  CHECK((values.diff() > 0).all().item<bool>());
  CHECK(values[255].item<float>() == 1);
  CHECK(values[127].item<float>() == 0);
  CHECK(values[128].item<float>() == Approx(5.5e-7));
}

TEST_CASE("numbers come back from 4 bits within half the widest gap, rows of any length") {
  const FourBitType type = GENERATE(FourBitType::fp4, FourBitType::nf4);
  const auto columns = GENERATE(5, 32, 48, 64, 100, 320);
  torch::manual_seed(2);
  const at::Tensor weight = torch::randn({7, columns});
  const auto quantized = FourBitWeight::quantize(weight, type, false);
  const at::Tensor back = quantized->dequantized(at::kFloat);
  CHECK(back.sizes() == weight.sizes());
  CHECK(quantized->codes().numel() == (7 * columns + 1) / 2);
  const at::Tensor scale = quantized->scales().repeat_interleave(64).narrow(0, 0, weight.numel()).view(weight.sizes());
  CHECK(((weight - back).abs() <= 0.17 * scale).all().item<bool>());
  CHECK((weight - back).abs().max().item<float>() > 0);
}

TEST_CASE("quantizing the scales too costs little and saves memory") {
  torch::manual_seed(2);
  const at::Tensor weight = torch::randn({256, 256});
  const auto plain = FourBitWeight::quantize(weight, FourBitType::nf4, false);
  const auto doubly = FourBitWeight::quantize(weight, FourBitType::nf4, true);
  CHECK(plain->bytes() == 256 * 256 / 2 + 4 * 1024);
  CHECK(doubly->bytes() == 256 * 256 / 2 + 1024 + 4 * 4 + 4);
  CHECK(at::allclose(plain->scales(), doubly->scales(), 0.02));
}

TEST_CASE("an integer product of 8-bit numbers is near the exact one, also with columns of large inputs") {
  torch::manual_seed(4);
  const at::Tensor weight = torch::randn({24, 40}) * 0.1, bias = torch::randn({24});
  at::Tensor x = torch::randn({6, 40});
  const auto quantized = Int8Weight::quantize(weight);
  const bool outliers = GENERATE(false, true);
  if (outliers) {
    x.select(1, 3).mul_(50);  // would leave the other columns no steps of their own
  }
  const at::Tensor exact = at::linear(x, weight, bias);
  const at::Tensor evaluated = quantized->multiply(x, bias, false), trained = quantized->multiply(x, bias, true);
  CHECK((evaluated - exact).abs().max().item<float>() < (outliers ? 0.15 : 0.05));
  CHECK((trained - exact).abs().max().item<float>() < (outliers ? 0.15 : 0.02));
  CHECK(!at::equal(evaluated, trained));
}

TEST_CASE("a row of zeros stays one in 8 bits") {
  const auto quantized = Int8Weight::quantize(torch::zeros({2, 8}));
  CHECK(at::equal(quantized->dequantized(at::kFloat), torch::zeros({2, 8})));
  CHECK(at::equal(quantized->multiply(torch::zeros({3, 8}), {}, false), torch::zeros({3, 2})));
}

TEST_CASE("a quantized layer passes gradients to its input and its adapter, and keeps no whole weight") {
  torch::manual_seed(5);
  const bool adapted = GENERATE(false, true);
  Linear layer(16, 8, true, at::kFloat);
  layer.set_tensor("weight", torch::randn({8, 16}));
  layer.set_tensor("bias", torch::randn({8}));
  layer.quantize(FourBitWeight::quantize(layer.weight, FourBitType::nf4, false));
  CHECK(layer.weight.is_meta());
  const at::Tensor weight = layer.quantized->dequantized(at::kFloat);
  if (adapted) { layer.adapter = LoraAdapter{torch::randn({2, 16}), torch::randn({8, 2}), 0.5}; }
  const at::Tensor whole = adapted ? weight + 0.5 * at::mm(layer.adapter->b, layer.adapter->a) : weight;
  at::Tensor x = torch::randn({3, 16}).requires_grad_();
  const at::Tensor y = layer.forward(x);
  CHECK(at::allclose(y, at::linear(x, whole, layer.bias), 1e-4, 1e-5));
  y.sum().backward();
  CHECK(at::allclose(x.grad(), whole.sum(0).expand({3, 16}), 1e-4, 1e-5));
  layer.adapter.emplace();
  CHECK_THROWS_WITH(layer.merge(), Catch::Contains("cannot be merged"));
}

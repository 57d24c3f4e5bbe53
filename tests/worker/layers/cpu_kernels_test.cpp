#include <torch/torch.h>

#include <catch2/catch.hpp>
#include <limits>

#include "worker/kernels/kernel_choice.hpp"
#include "worker/layers/attention.hpp"
#include "worker/layers/checkpoint_layer.hpp"
#include "worker/layers/cpu_attention.hpp"
#include "worker/layers/cpu_operators.hpp"
#include "worker/layers/cpu_product.hpp"
#include "worker/layers/gated_silu.hpp"
#include "worker/layers/norm.hpp"
#include "worker/layers/rope.hpp"

using namespace mdl::worker::layers;
using mdl::worker::kernels::KernelChoice;
using mdl::worker::kernels::Kernels;
using mdl::worker::kernels::supported_kernels;

namespace {

constexpr double kUlp = 1.0 / (1 << 23);  ///< of float32, relative

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// The result and the gradients of all inputs, for the gradient `wanted` of the result.
std::vector<at::Tensor> results_of(const Function& function, const std::vector<at::Tensor>& inputs,
                                   const at::Tensor& wanted) {
  std::vector<at::Tensor> leaves;
  for (const auto& input : inputs) { leaves.push_back(input.detach().requires_grad_()); }
  const at::Tensor y = function(leaves);
  auto results = torch::autograd::grad({y}, leaves, {wanted.to(y.scalar_type())});
  results.insert(results.begin(), y.detach());
  return results;
}

/// Compares results and gradients with the kernels, every variant that this machine has, and without, both against the
/// formula in float64: at most `factor` times as far off as LibTorch's own operations, and a few units more.
void compare_with_float64(const Function& function, const Function& formula, const std::vector<at::Tensor>& inputs,
                          const at::Tensor& wanted, double factor = 2) {
  std::vector<at::Tensor> wide;
  for (const auto& input : inputs) { wide.push_back(input.to(at::kDouble)); }
  const auto exact = results_of(formula, wide, wanted);
  const auto error = [&](const std::vector<at::Tensor>& found, size_t i) {
    const at::Tensor scale = exact[i].abs().max().clamp_min(1);
    return ((found[i].to(at::kDouble) - exact[i]).abs().max() / scale).item<double>();
  };
  const auto plain = [&] {
    const KernelChoice none(nullptr);
    return results_of(function, inputs, wanted);
  }();
  for (const Kernels* kernels : supported_kernels()) {
    const KernelChoice choice(kernels);
    const auto found = results_of(function, inputs, wanted);
    for (size_t i = 0; i < exact.size(); ++i) {
      INFO(kernels->name << ": " << (i == 0 ? "result" : "gradient " + std::to_string(i)) << " of "
                         << inputs[0].sizes());
      CHECK(error(found, i) <= factor * error(plain, i) + 4 * kUlp);
    }
  }
}

struct PackedCase {
  std::string name;
  std::vector<int64_t> queries, keys;
  int64_t heads, kv_heads, dim;
  bool causal;
};

const std::vector<PackedCase> kCases = {
    {"one row", {1}, {1}, 2, 2, 8, false},
    {"a vector's length", {8, 16}, {8, 16}, 2, 2, 16, false},
    {"mixed lengths", {9, 4, 4, 33}, {9, 4, 4, 33}, 4, 4, 64, false},
    {"hidden keys", {9, 4, 33}, {7, 4, 5}, 4, 4, 12, false},
    {"causal, grouped queries", {9, 1, 21}, {9, 1, 21}, 6, 2, 20, true},
    {"the longest", {256, 3}, {256, 3}, 2, 1, 8, true},
};

std::vector<at::Tensor> random_heads(const PackedCase& shape) {
  torch::manual_seed(4);
  int64_t rows = 0;
  for (const int64_t length : shape.queries) { rows += length; }
  return {torch::randn({rows, shape.heads, shape.dim}), torch::randn({rows, shape.kv_heads, shape.dim}),
          torch::randn({rows, shape.kv_heads, shape.dim}), torch::randn({rows, shape.heads * shape.dim})};
}

/// Softmax of each sequence by itself, of single heads: the formula.
at::Tensor attention_formula(const PackedCase& shape, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> sequences;
  int64_t row = 0;
  for (size_t s = 0; s < shape.queries.size(); ++s) {
    const int64_t rows = shape.queries[s], keys = shape.keys[s];
    std::vector<at::Tensor> heads;
    for (int64_t head = 0; head < shape.heads; ++head) {
      const int64_t kv_head = head / (shape.heads / shape.kv_heads);
      const auto of = [&](size_t input, int64_t which, int64_t length) {
        return inputs[input].narrow(0, row, length).select(1, which);
      };
      at::Tensor scores = at::mm(of(0, head, rows), of(1, kv_head, keys).t()) / std::sqrt(double(shape.dim));
      if (shape.causal) {
        scores =
            scores.masked_fill(torch::ones({rows, keys}, at::kBool).triu(1), -std::numeric_limits<double>::infinity());
      }
      heads.push_back(at::mm(scores.softmax(1), of(2, kv_head, keys)));
    }
    sequences.push_back(at::cat(heads, 1));
    row += rows;
  }
  return at::cat(sequences);
}

bool fused_here() {
  return !supported_kernels().empty() && has_cpu_product();
}

}  // namespace

TEST_CASE("attention of packed sequences on the CPU is as near to the formula as LibTorch's, results and gradients") {
  for (const PackedCase& shape : kCases) {
    INFO(shape.name);
    auto inputs = random_heads(shape);
    const at::Tensor wanted = inputs.back();
    inputs.pop_back();
    const auto sequences = pack_sequences(shape.queries, shape.keys, false);
    CHECK(takes_cpu_attention(inputs[0], inputs[1], inputs[2], sequences) == fused_here());
    compare_with_float64([&](const auto& x) { return packed_attention(x[0], x[1], x[2], sequences, shape.causal); },
                         [&](const auto& x) { return attention_formula(shape, x); }, inputs, wanted);
  }
}

TEST_CASE("attention of joined queries, keys and values gives their gradient as one tensor") {
  for (const PackedCase& shape : kCases) {
    if (shape.causal) { continue; }
    INFO(shape.name);
    auto inputs = random_heads(shape);
    const at::Tensor wanted = inputs.back();
    inputs.pop_back();
    const auto sequences = pack_sequences(shape.queries, shape.keys, false);
    compare_with_float64([&](const auto& x) { return packed_self_attention(x[0], sequences); },
                         [&](const auto& x) { return attention_formula(shape, x[0].unbind(1)); },
                         {at::stack(inputs, 1)}, wanted);
  }
}

TEST_CASE("heads that lie apart in memory are read where they are, and with one thread as with several") {
  const PackedCase& shape = kCases[2];
  auto inputs = random_heads(shape);
  const auto sequences = pack_sequences(shape.queries, shape.keys, false);
  const at::Tensor expected = packed_attention(inputs[0], inputs[1], inputs[2], sequences, false);
  const at::Tensor joined = at::cat({inputs[0], inputs[1], inputs[2]}, 1);
  const auto part = [&](int64_t i) { return joined.narrow(1, i * shape.heads, shape.heads); };
  CHECK(torch::equal(packed_attention(part(0), part(1), part(2), sequences, false), expected));
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    CHECK(torch::equal(packed_attention(inputs[0], inputs[1], inputs[2], sequences, false), expected));
  }
  at::set_num_threads(threads);
  // Numbers of a head that lie apart: LibTorch's operations serve.
  const at::Tensor turned = inputs[0].transpose(1, 2).contiguous().transpose(1, 2);
  CHECK(!takes_cpu_attention(turned, inputs[1], inputs[2], sequences));
  CHECK(torch::allclose(packed_attention(turned, inputs[1], inputs[2], sequences, false), expected, 1e-5, 1e-6));
}

TEST_CASE("long sequences, other types and processors without the instructions take LibTorch's attention") {
  const PackedCase longer = {"", {257}, {257}, 1, 1, 8, true};
  const auto inputs = random_heads(longer);
  const auto takes = [](const std::vector<at::Tensor>& x, const std::vector<int64_t>& lengths) {
    return takes_cpu_attention(x[0], x[1], x[2], pack_sequences(lengths, lengths, false));
  };
  CHECK(!takes(inputs, {257}));
  CHECK(takes(inputs, {200, 57}) == fused_here());
  std::vector<at::Tensor> wide;
  for (const auto& input : inputs) { wide.push_back(input.to(at::kDouble)); }
  CHECK(!takes(wide, {200, 57}));
  const KernelChoice none(nullptr);
  CHECK(!takes(inputs, {200, 57}));
  CHECK(!takes_cpu_kernels(inputs[0]));
}

TEST_CASE("a checkpointed layer with the CPU's attention gives the same results and gradients, bit for bit") {
  const PackedCase& shape = kCases[4];
  const auto inputs = random_heads(shape);
  const auto sequences = pack_sequences(shape.queries, shape.keys, false);
  const auto layer = [&](const at::Tensor& x) {
    return packed_attention(x.unflatten(1, {shape.heads, shape.dim}), inputs[1], inputs[2], sequences, true);
  };
  const auto results = [&](bool checkpointing) {
    return results_of([&](const auto& x) { return checkpointing ? checkpoint_layer(layer, x[0], {}) : layer(x[0]); },
                      {inputs[0].flatten(1)}, inputs[3]);
  };
  const auto plain = results(false), checkpointed = results(true);
  CHECK(torch::equal(plain[0], checkpointed[0]));
  CHECK(torch::equal(plain[1], checkpointed[1]));
}

TEST_CASE("norm, gated silu and rotation on the CPU are as near to the formula as LibTorch's, results and gradients") {
  torch::manual_seed(5);
  for (const int64_t dim : {2, 6, 16, 30, 64, 512, 1000}) {
    const at::Tensor x = torch::randn({7, 3, dim}) * 3, wanted = torch::randn({7, 3, dim});
    const at::Tensor weight = torch::rand({dim}) + 0.5;
    RmsNorm norm(dim, 1e-6, at::kFloat);
    norm.set_tensor("weight", weight);
    compare_with_float64(
        [&](const auto& in) { return norm.forward(in[0]); },
        [&](const auto& in) { return in[0] * (in[0].square().mean(-1, true) + 1e-6).rsqrt() * weight.to(at::kDouble); },
        {x}, wanted);
    compare_with_float64([](const auto& in) { return gated_silu(in[0], in[1]); },
                         [](const auto& in) { return at::silu(in[0]) * in[1]; }, {x, torch::randn({7, 3, dim})},
                         wanted);
    const RopeAngles rope = rope_angles(torch::arange(7) * 11, dim, 1e4, at::kFloat);
    compare_with_float64(
        [&](const auto& in) { return rotated(in[0], rope); },
        [&](const auto& in) {
          const auto halves = in[0].chunk(2, -1);
          return at::cat({halves[0] * rope.cos - halves[1] * rope.sin, halves[1] * rope.cos + halves[0] * rope.sin},
                         -1);
        },
        {x}, wanted);
  }
}

TEST_CASE("extreme numbers: gates far out, scores far apart, and what is not a number stays so") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const Kernels* kernels : supported_kernels()) {
    INFO(kernels->name);
    const KernelChoice choice(kernels);
    const at::Tensor gate = torch::tensor({-1e30F, -200.F, -88.F, -20.F, 0.F, 20.F, 88.F, 200.F, 1e30F});
    const at::Tensor y = gated_silu(gate, torch::ones_like(gate));
    CHECK(torch::allclose(y, at::silu(gate), 4 * kUlp, 1e-36));
    CHECK(std::isnan(gated_silu(torch::full({9}, nan), torch::ones({9}))[8].item<float>()));
    CHECK(std::isnan(gated_silu(torch::ones({9}), torch::full({9}, nan))[8].item<float>()));

    std::vector<float> scores = {0, -100, 100, -infinity, 50, nan, 1, 2, infinity, 3, 4, 5};
    kernels->softmax(scores.data(), 1, 5, false);
    CHECK(scores[2] == Approx(1));
    CHECK(scores[3] == 0);
    kernels->softmax(scores.data() + 5, 1, 3, false);
    CHECK((std::isnan(scores[5]) && std::isnan(scores[6]) && std::isnan(scores[7])));
    kernels->softmax(scores.data() + 8, 1, 4, false);
    CHECK((std::isnan(scores[8]) && std::isnan(scores[11])));
    std::vector<float> high(11, 1e30F);
    kernels->softmax(high.data(), 1, 11, false);
    CHECK(high[10] == Approx(1.0 / 11));
  }
}

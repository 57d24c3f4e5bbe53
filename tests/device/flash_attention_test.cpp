#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "common/str_cat.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/traffic.hpp"
#include "worker/layers/attention.hpp"
#include "worker/layers/checkpoint_layer.hpp"

using namespace mdl;
using namespace mdl::test::device;
using namespace mdl::worker::layers;
using Catch::Contains;

namespace {

constexpr int64_t kHeadDim = 16;

struct Shape {
  std::string name;
  std::vector<int64_t> queries, keys;
  int64_t heads = 4, kv_heads = 4;
  bool causal = false;
};

const std::vector<Shape> kShapes = {
    {"one sequence", {7}, {7}},
    {"equal lengths", {5, 5, 5}, {5, 5, 5}},
    {"mixed lengths", {9, 4, 4, 12}, {9, 4, 4, 12}},
    {"hidden keys", {9, 4, 4, 12}, {9, 3, 4, 5}},
    {"causal", {9, 4, 12}, {9, 4, 12}, 4, 4, true},
    {"grouped queries", {9, 4, 12}, {9, 4, 11}, 6, 2},
    {"grouped queries, causal, some of one row", {9, 1, 12}, {9, 1, 12}, 6, 2, true},
    {"grouped queries, causal, all of one row", {1, 1, 1}, {1, 1, 1}, 6, 2, true},
};

/// As the batch brings them to a device.
PackedSequences packed(const Shape& shape, at::Device device, at::ScalarType dtype) {
  auto sequences = pack_sequences(shape.queries, shape.keys, takes_flash_attention(device, dtype, kHeadDim));
  if (sequences.ends) {
    sequences.ends->queries = sequences.ends->queries.to(device);
    sequences.ends->keys = sequences.ends->keys.to(device);
  }
  return sequences;
}

struct Inputs {
  at::Tensor query, key, value, wanted;
};

Inputs inputs_of(const Shape& shape) {
  torch::manual_seed(4);
  int64_t rows = 0;
  for (const int64_t length : shape.queries) { rows += length; }
  const auto half = [&](int64_t heads) { return torch::randn({rows, heads, kHeadDim}).to(at::kBFloat16); };
  return {half(shape.heads), half(shape.kv_heads), half(shape.kv_heads), half(shape.heads).flatten(1)};
}

/// The result and the gradients of query, key and value, on the CPU in float32.
std::vector<at::Tensor> flash_results(const Shape& shape, const Inputs& inputs, at::Device device,
                                      at::ScalarType dtype) {
  const auto leaf = [&](const at::Tensor& x) { return x.to(device, dtype).detach().requires_grad_(); };
  const std::vector<at::Tensor> leaves = {leaf(inputs.query), leaf(inputs.key), leaf(inputs.value)};
  const auto sequences = packed(shape, device, dtype);
  const at::Tensor y = packed_attention(leaves[0], leaves[1], leaves[2], sequences, shape.causal);
  auto results = torch::autograd::grad({y}, leaves, {inputs.wanted.to(device, dtype)});
  results.insert(results.begin(), y.detach());
  for (at::Tensor& each : results) { each = each.to(at::kCPU, at::kFloat); }
  return results;
}

at::Tensor ends_on_device(const std::vector<int32_t>& numbers) {
  return torch::tensor(numbers, at::kInt).to(kCountingDevice);
}

}  // namespace

TEST_CASE("flash attention over all sequences gives results and gradients of attention over groups of equal ones") {
  for (const Shape& shape : kShapes) {
    INFO(shape.name);
    const Inputs inputs = inputs_of(shape);
    const auto exact = flash_results(shape, inputs, at::kCPU, at::kFloat);
    const auto expected = flash_results(shape, inputs, at::kCPU, at::kBFloat16);
    const auto found = flash_results(shape, inputs, kCountingDevice, at::kBFloat16);
    for (size_t i = 0; i < exact.size(); ++i) {
      CHECK(torch::allclose(found[i], expected[i], 2e-2, 2e-2));
      CHECK(torch::allclose(found[i], exact[i], 3e-2, 3e-2));
    }
  }
}

TEST_CASE("flash attention is one call each way, however many lengths there are, and the groups' one for each") {
  const auto calls = [](const Shape& shape, at::ScalarType dtype) {
    const Inputs inputs = inputs_of(shape);
    const auto leaf = [&](const at::Tensor& x) { return x.to(kCountingDevice, dtype).detach().requires_grad_(); };
    const at::Tensor query = leaf(inputs.query), key = leaf(inputs.key), value = leaf(inputs.value);
    const at::Tensor wanted = inputs.wanted.to(kCountingDevice, dtype);
    const auto sequences = packed(shape, kCountingDevice, dtype);
    const Traffic before = traffic();
    const at::Tensor y = packed_attention(query, key, value, sequences, shape.causal);
    const Traffic forward = traffic() - before;
    torch::autograd::grad({y}, {query, key, value}, {wanted});
    CHECK((traffic() - before).host_reads == 0);
    CHECK((traffic() - before).blocking_copies == 0);
    return std::pair(forward.kernels, (traffic() - before - forward).kernels);
  };
  const Shape& mixed = kShapes[3];
  CHECK(calls(mixed, at::kBFloat16) == std::pair<int64_t, int64_t>(1, 1));
  const auto [forward, backward] = calls(mixed, at::kFloat);
  CHECK(forward >= 5);  // an attention for each of four groups, and what joins them
  CHECK(backward >= 5);
}

TEST_CASE("checkpointing a layer with flash attention changes neither results nor gradients") {
  const Shape& shape = kShapes[6];
  const Inputs inputs = inputs_of(shape);
  const auto sequences = packed(shape, kCountingDevice, at::kBFloat16);
  const at::Tensor key = inputs.key.to(kCountingDevice), value = inputs.value.to(kCountingDevice);
  const auto layer = [=](const at::Tensor& x) {
    return packed_attention(x.unflatten(1, {shape.heads, kHeadDim}), key, value, sequences, true);
  };
  const auto gradient = [&](bool checkpointing) {
    const at::Tensor x = inputs.query.flatten(1).to(kCountingDevice).requires_grad_();
    const at::Tensor y = checkpointing ? checkpoint_layer(layer, x, {}) : layer(x);
    const at::Tensor of_x = torch::autograd::grad({y}, {x}, {inputs.wanted.to(kCountingDevice)})[0];
    return std::pair(y.detach().cpu(), of_x.cpu());
  };
  const auto plain = gradient(false), checkpointed = gradient(true);
  CHECK(torch::equal(plain.first, checkpointed.first));
  CHECK(torch::equal(plain.second, checkpointed.second));
}

TEST_CASE("where flash attention serves: half precision beside the CPU, heads that the kernel has") {
  CHECK(takes_flash_attention(kCountingDevice, at::kBFloat16, 128));
  CHECK(takes_flash_attention(kCountingDevice, at::kHalf, 80));
  CHECK(!takes_flash_attention(kCountingDevice, at::kFloat, 128));
  CHECK(!takes_flash_attention(kCountingDevice, at::kBFloat16, 4));
  CHECK(!takes_flash_attention(kCountingDevice, at::kBFloat16, 256));
  CHECK(!takes_flash_attention(at::kCPU, at::kBFloat16, 128));
  at::globalContext().setSDPUseFlash(false);
  CHECK(!takes_flash_attention(kCountingDevice, at::kBFloat16, 128));
  at::globalContext().setSDPUseFlash(true);
}

TEST_CASE("the counting device refuses lengths that do not fit") {
  const Inputs inputs = inputs_of({"", {5, 3}, {5, 3}});
  const at::Tensor query = inputs.query.to(kCountingDevice), key = inputs.key.to(kCountingDevice);
  const auto attend_with = [&](const at::Tensor& query_ends, const at::Tensor& key_ends, int64_t longest_query,
                               int64_t longest_key, bool causal = false) {
    packed_attention(query, key, key, {{}, SequenceEnds{query_ends, key_ends, longest_query, longest_key}}, causal);
  };
  const at::Tensor good = ends_on_device({0, 5, 8});
  CHECK_NOTHROW(attend_with(good, good, 5, 5));
  CHECK_THROWS_WITH(attend_with(good.to(at::kLong), good, 5, 5), Contains("must be int32"));
  CHECK_THROWS_WITH(attend_with(good.cpu(), good, 5, 5), Contains("must be on the device"));
  CHECK_THROWS_WITH(attend_with(ends_on_device({0, 5, 7}), good, 5, 5), Contains("queries must rise from 0 to 8"));
  CHECK_THROWS_WITH(attend_with(good, ends_on_device({0, 9, 8}), 5, 5), Contains("keys must rise from 0 to 8"));
  CHECK_THROWS_WITH(attend_with(good, ends_on_device({0, 8}), 5, 8), Contains("must be 3 numbers"));
  CHECK_THROWS_WITH(attend_with(good, good, 4, 5), Contains("has 5 queries, not 4"));
  CHECK_THROWS_WITH(attend_with(good, good, 5, 8), Contains("has 5 keys, not 8"));
  CHECK_THROWS_WITH(attend_with(good, ends_on_device({0, 4, 8}), 5, 4, true), Contains("would align their ends"));
}

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "worker/batch/collate.hpp"

using namespace mdl;
using namespace mdl::worker::batch;
using namespace mdl::worker::dataset;

namespace {

constexpr int64_t kPad = 9;

template <typename T>
std::vector<T> row_of(const at::Tensor& tensor, int64_t row) {
  const at::Tensor values = tensor[row].contiguous();
  return {values.data_ptr<T>(), values.data_ptr<T>() + values.numel()};
}

}  // namespace

TEST_CASE("text is padded on the left and audio on the right") {
  const std::vector<float> short_clip = {0.5f};
  const std::vector<float> long_clip = {0.25f, -0.25f, 1.0f};
  const std::vector<Sample> samples = {{{1, 2, 3}, {0, 1, 1}, {-100, 2, 3}, short_clip, 1},
                                       {{4}, {1}, {4}, long_clip, 2}};
  const Batch batch = collate(samples, kPad, at::kFloat);

  CHECK(row_of<int64_t>(batch.input_ids, 0) == std::vector<int64_t>{1, 2, 3});
  CHECK(row_of<int64_t>(batch.input_ids, 1) == std::vector<int64_t>{kPad, kPad, 4});
  CHECK(row_of<int64_t>(batch.attention_mask, 0) == std::vector<int64_t>{0, 1, 1});
  CHECK(row_of<int64_t>(batch.attention_mask, 1) == std::vector<int64_t>{0, 0, 1});
  CHECK(row_of<int64_t>(batch.labels, 1) == std::vector<int64_t>{-100, -100, 4});
  CHECK(row_of<float>(batch.input_values, 0) == std::vector<float>{0.5f, 0, 0});
  CHECK(row_of<float>(batch.input_values, 1) == long_clip);
  CHECK(batch.audio_length.equal(torch::tensor({1, 2}, at::kLong)));
}

TEST_CASE("float64 audio is read as well") {
  const std::vector<double> clip = {0.1, -0.2};
  const std::vector<Sample> samples = {{{1}, {1}, {1}, std::span<const double>(clip), 2}};
  CHECK(row_of<float>(collate(samples, kPad, at::kFloat).input_values, 0) == std::vector<float>{0.1f, -0.2f});
}

TEST_CASE("16-bit audio is read as well") {
  const std::vector<int16_t> clip = {16384, -32768};
  const std::vector<Sample> samples = {{{1}, {1}, {1}, std::span<const int16_t>(clip), 2}};
  CHECK(row_of<float>(collate(samples, kPad, at::kFloat).input_values, 0) == std::vector<float>{0.5f, -1.0f});
}

TEST_CASE("audio for a bfloat16 model is rounded as the Python tool rounds it") {
  const std::vector<float> clip = {0.1f};
  const std::vector<Sample> samples = {{{1}, {1}, {1}, clip, 1}};
  const at::Tensor values = collate(samples, kPad, at::kBFloat16).input_values;
  CHECK(values.scalar_type() == at::kFloat);
  CHECK(values.item<float>() == 0.10009765625f);
}

TEST_CASE("the loss counts a label only where a real token stands before it") {
  CHECK(label_tokens({{1, 2, 3}, {1, 1, 1}, {-100, 2, 3}, {}, 1}) == 2);
  CHECK(label_tokens({{1, 2, 3}, {1, 1, 1}, {1, 2, 3}, {}, 1}) == 2);     // nothing predicts the first token
  CHECK(label_tokens({{1, 2, 3}, {0, 1, 1}, {-100, 2, 3}, {}, 1}) == 1);  // nor the first behind padding
  CHECK(label_tokens({{1, 2}, {1, 1}, {-100, -100}, {}, 1}) == 0);
}

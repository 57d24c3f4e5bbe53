#include "worker/generation/next_token.hpp"

#include <ATen/ops/tensor.h>
#include <torch/torch.h>

#include <catch2/catch.hpp>
#include <set>

using namespace mdl;
using namespace mdl::worker::generation;

TEST_CASE("sampling takes the token in whose share of the line the number lies") {
  const at::Tensor scores = torch::tensor({{0.5, 0.25, 0.0, 0.25}}).log().repeat({6, 1});
  const at::Tensor tokens = sampled(scores, {0.0, 0.49, 0.51, 0.74, 0.76, 0.9999999999999999});
  CHECK(at::equal(tokens, torch::tensor({0, 0, 1, 1, 3, 3}, at::kLong)));
}

TEST_CASE("a token that is ruled out is never sampled, be the number at the very edge of its share") {
  const double out = -std::numeric_limits<double>::infinity();
  const at::Tensor scores = torch::tensor({{out, 0.0, out, 0.0, out}}, at::kFloat).repeat({4, 1});
  CHECK(at::equal(sampled(scores, {0.0, 0.5, 0.499999, 0.9999999999999999}), torch::tensor({1, 3, 1, 3}, at::kLong)));
}

TEST_CASE("random numbers depend on seed, sequence and step, lie between 0 and 1 and are spread evenly") {
  std::set<double> numbers;
  double sum = 0;
  for (uint64_t seed : {0U, 1U}) {
    for (uint64_t sequence = 0; sequence < 100; ++sequence) {
      for (uint64_t step = 0; step < 50; ++step) {
        const double number = random_number(seed, sequence, step);
        CHECK((number >= 0 && number < 1));
        numbers.insert(number);
        sum += number;
      }
    }
  }
  CHECK(numbers.size() == 10'000);
  CHECK(sum / 10'000 == Approx(0.5).margin(0.01));
  CHECK(random_number(3, 4, 5) == random_number(3, 4, 5));
}

TEST_CASE("without top_k, top_p and min_p every token stays possible") {
  const at::Tensor scores = torch::randn({2, 100});
  GenerationConfig config;
  config.top_k = 0;
  CHECK(at::equal(filter_for_sampling(scores, config), scores));
}

TEST_CASE("ids outside the vocabulary rule nothing out") {
  const at::Tensor scores = torch::zeros({1, 3});
  const at::Tensor less = without_tokens(scores, {1, 7});
  CHECK(std::isinf(less[0][1].item<float>()));
  CHECK(less[0][2].item<float>() == 0);
}

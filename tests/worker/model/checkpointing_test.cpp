#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include <ATen/Context.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <catch2/catch.hpp>
#include <map>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/layers/checkpoint_layer.hpp"

using mdl::test::TempDir;
using mdl::test::tiny_batch;
using mdl::test::tiny_config_json;
using mdl::test::write_checkpoint;

namespace {

struct Step {
  double loss;
  std::map<std::string, at::Tensor> gradients;
};

/// One forward and backward pass from a fresh model and a fixed random state.
Step step(const std::filesystem::path& folder, const mdl::worker::adapter::LoraConfig& lora, bool checkpointing) {
  const auto model = mdl::worker::model::load_model(folder, at::kFloat, at::kCPU);
  mdl::worker::adapter::attach_lora(*model, lora, 0);
  {
    const at::NoGradGuard no_grad;
    at::Generator generator = at::detail::createCPUGenerator(11);
    for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(*model)) {
      if (name.find("lora_B") != std::string::npos) { tensor.normal_(0, 0.1, generator); }
    }
  }
  model->train();
  model->use_running_statistics(true);
  model->set_gradient_checkpointing(checkpointing);
  at::manual_seed(5);
  const at::Tensor loss = model->loss_sum(tiny_batch(model->config()));
  loss.backward();
  Step result{loss.item<double>(), {}};
  for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(*model)) {
    result.gradients[name] = tensor.grad();
  }
  return result;
}

void check_same(const Step& a, const Step& b) {
  CHECK(a.loss == b.loss);
  REQUIRE(a.gradients.size() == b.gradients.size());
  for (const auto& [name, gradient] : a.gradients) {
    INFO(name);
    REQUIRE(gradient.defined());
    CHECK(at::allclose(gradient, b.gradients.at(name), 1e-6, 1e-8));
  }
}

}  // namespace

TEST_CASE("checkpointing changes neither the loss nor a gradient") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  mdl::worker::adapter::LoraConfig lora;
  SECTION("all adapters") {}
  SECTION("the decoder's alone: nothing in the encoder needs a gradient") {
    lora.targets = {mdl::worker::adapter::Target::decoder};
  }
  SECTION("with dropout: the second run draws the same numbers") {
    lora.dropout = 0.5;
  }
  SECTION("with embeddings and head trained whole") {
    lora.targets.insert({mdl::worker::adapter::Target::embed_tokens, mdl::worker::adapter::Target::lm_head});
  }
  check_same(step(dir.path(), lora, true), step(dir.path(), lora, false));
}

TEST_CASE("dropout changes the training loss, and is off in evaluation") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  mdl::worker::adapter::LoraConfig dropped;
  dropped.dropout = 0.5;
  CHECK(step(dir.path(), dropped, false).loss != step(dir.path(), {}, false).loss);

  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  mdl::worker::adapter::attach_lora(*model, dropped, 0);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  CHECK(model->loss_sum(batch).item<double>() == model->loss_sum(batch).item<double>());
  dropped.dropout = 1;
  CHECK_THROWS_AS(mdl::worker::adapter::attach_lora(*model, dropped, 0), mdl::UsageError);
}

TEST_CASE(
    "a checkpointed layer runs twice, keeps nothing between, and fires the accumulation hook of its weight once") {
  at::Tensor weight = at::ones({3}).requires_grad_(true);
  at::Tensor x = at::arange(3, at::kFloat).requires_grad_(true);
  int runs = 0, hooks = 0;
  // c10d::Reducer listens in this way.
  const auto accumulator = torch::autograd::impl::grad_accumulator(weight);
  accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
      [&](const torch::autograd::variable_list& results, const torch::autograd::variable_list&) {
        ++hooks;
        return results;
      }));
  const auto layer = [&](const at::Tensor& input) {
    ++runs;
    return (input * weight).square();
  };
  const at::Tensor y = mdl::worker::layers::checkpoint_layer(layer, x, {weight});
  CHECK(runs == 1);
  y.sum().backward();
  CHECK(runs == 2);
  CHECK(hooks == 1);
  CHECK(at::equal(weight.grad(), 2 * x.detach().square()));
  CHECK(at::equal(x.grad(), 2 * x.detach()));

  const at::NoGradGuard no_grad;
  CHECK_FALSE(mdl::worker::layers::checkpoint_layer(layer, x, {weight}).requires_grad());
}

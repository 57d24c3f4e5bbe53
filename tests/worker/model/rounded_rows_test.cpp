#include <ATen/record_function.h>
#include <torch/torch.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/layers/cpu_product.hpp"

using namespace mdl::worker;
using mdl::test::TempDir;

namespace {

std::shared_ptr<model::MiDashengLM> bfloat16_model(const TempDir& dir) {
  mdl::test::write_checkpoint(dir.path(), mdl::test::tiny_config_json(), at::kBFloat16);
  auto model = model::load_model(dir.path(), at::kBFloat16, at::kCPU);
  adapter::attach_lora(*model, {}, 0);
  const at::NoGradGuard no_grad;
  torch::manual_seed(3);
  for (const auto& [name, tensor] : adapter::lora_parameters(*model)) { tensor.normal_(0, 0.1); }
  model->train();
  model->use_running_statistics(true);
  return model;
}

model::PackedBatch packed(const model::MiDashengLM& model, const batch::Batch& batch, int64_t row_step) {
  return {model.layout(batch), batch.input_values, model::HostMemory::plain, {}, row_step};
}

/// The rows of all products with a layer's weight, but those with the head's, of which there are `vocabulary` rows.
std::set<int64_t> rows_seen;
int64_t vocabulary = 0;

std::unique_ptr<at::ObserverContext> note_rows(const at::RecordFunction& function) {
  const auto inputs = function.inputs();
  if (std::string_view(function.name()) == "aten::linear" && inputs[1].toTensor().size(0) != vocabulary) {
    rows_seen.insert(inputs[0].toTensor().size(0));
  }
  return nullptr;
}

}  // namespace

TEST_CASE("rounded up, all linear layers see multiples of 32 rows; so it is in bfloat16 on a CPU with AMX alone") {
  const TempDir dir;
  const auto model = bfloat16_model(dir);
  const batch::Batch batch = mdl::test::tiny_batch(model->config());
  vocabulary = model->config().text.vocab_size;
  rows_seen.clear();
  const auto handle = at::addGlobalCallback(at::RecordFunctionCallback(note_rows).needsInputs(true));
  model->loss_sum(packed(*model, batch, 32));
  if (layers::cpu_multiplies_bfloat16()) { model->logits(batch); }
  at::removeCallback(handle);
  CHECK(rows_seen == std::set<int64_t>{32});

  const auto wide = model::load_model(dir.path(), at::kFloat, at::kCPU);
  CHECK(wide->pack(batch).token_ids.size(0) == wide->layout(batch).tokens());
  CHECK(model->pack(batch).token_ids.size(0) ==
        (layers::cpu_multiplies_bfloat16() ? 32 : model->layout(batch).tokens()));
  CHECK(model->pack(batch).targets.size(0) == std::ssize(model->layout(batch).targets));
}

TEST_CASE("rows that round a batch up change neither loss nor gradients nor logits nor an answer's first token") {
  const TempDir dir;
  const auto model = bfloat16_model(dir);
  const batch::Batch batch = mdl::test::tiny_batch(model->config());
  const auto step = [&](int64_t row_step) {
    for (const auto& [name, tensor] : adapter::lora_parameters(*model)) { at::Tensor(tensor).mutable_grad().reset(); }
    const at::Tensor loss = model->loss_sum(packed(*model, batch, row_step));
    loss.backward();
    std::vector<at::Tensor> results = {loss.detach()};
    for (const auto& [name, tensor] : adapter::lora_parameters(*model)) { results.push_back(tensor.grad().clone()); }
    return results;
  };
  for (const bool checkpointing : {false, true}) {
    model->set_gradient_checkpointing(checkpointing);
    const auto plain = step(1), rounded = step(32);
    for (size_t i = 0; i < plain.size(); ++i) {
      INFO(i);
      CHECK(torch::allclose(rounded[i], plain[i], 1e-2, 1e-3 * plain[i].abs().max().item<double>()));
    }
  }
  model->eval();
  const at::NoGradGuard no_grad;
  const auto prefill = model->read_prompts(batch);
  CHECK(prefill.logits.size(0) == 2);
  CHECK(model->token_scores(packed(*model, batch, 32)).losses.size(0) == std::ssize(model->layout(batch).targets));
  CHECK(model->encode(batch).size(0) == std::ssize(model->layout(batch).patch_rows));
  CHECK(model->logits(batch).sizes() == at::IntArrayRef({2, batch.input_ids.size(1), vocabulary}));
}

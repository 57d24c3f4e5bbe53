#include "worker/plan/step_memory.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/batch/batch.hpp"
#include "worker/dataset/label.hpp"
#include "worker/layers/linear.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/plan/sized_device.hpp"
#include "worker/quantization/int8_weight.hpp"
#include "worker/training/adamw.hpp"

namespace mdl::worker::plan {
namespace {

/// Of a FourBitWeight, whose library works on the CPU or on a GPU only.
class SizedFourBit final : public layers::QuantizedWeight {
 public:
  SizedFourBit(const at::Tensor& weight, bool doubly) : rows_(weight.size(0)), columns_(weight.size(1)) {
    const int64_t numbers = weight.numel(), blocks = (numbers + 63) / 64;
    add(numbers / 2, at::kByte);
    add(blocks, doubly ? at::kByte : at::kFloat);
    if (!doubly) { return; }
    add((blocks + 255) / 256, at::kFloat);
    add(1, at::kFloat);
    wide_scales_ = blocks;
  }

  at::Tensor dequantized(at::ScalarType dtype) const override {
    const auto options = at::TensorOptions().device(sized_device());
    const at::Tensor scales = at::empty({wide_scales_}, options.dtype(at::kFloat));
    return at::empty({rows_, columns_}, options.dtype(dtype));
  }
  at::Device device() const override { return sized_device(); }
  int64_t bytes() const override {
    int64_t sum = 0;
    for (const at::Tensor& part : parts_) { sum += static_cast<int64_t>(part.nbytes()); }
    return sum;
  }

 private:
  void add(int64_t numbers, at::ScalarType dtype) {
    parts_.push_back(at::empty({numbers}, at::TensorOptions().device(sized_device()).dtype(dtype)));
  }

  int64_t rows_, columns_, wide_scales_ = 0;
  std::vector<at::Tensor> parts_;
};

c10::intrusive_ptr<layers::QuantizedWeight> quantized(const at::Tensor& weight, const quantization::Quantization& how) {
  if (how.kind == quantization::Quantization::Kind::int8) { return quantization::Int8Weight::quantize(weight); }
  return c10::make_intrusive<SizedFourBit>(weight, how.double_quantization);
}

at::Tensor sized(const at::Tensor& x) {
  return at::empty(x.sizes(), x.options().device(sized_device()).requires_grad(false))
      .set_requires_grad(x.requires_grad());
}

/// Puts the model, which lies on the meta device with its adapters, onto the sized one, tensor by tensor.
void move_base(model::MiDashengLM& model, const StepSettings& settings) {
  const auto& decoder = *model.decoder;
  const bool tied = settings.config.text.tie_word_embeddings && !decoder.lm_head->weight.requires_grad() &&
                    !decoder.embed_tokens->weight.requires_grad() && !decoder.lm_head->adapter;
  for (const auto& [layer, slot, name] : layers::tensor_slots(model)) {
    auto* const linear = dynamic_cast<layers::Linear*>(layer);
    const bool head = linear == decoder.lm_head.get();
    if (settings.quantization && linear && slot.name == "weight" && !head) {
      linear->quantize(quantized(sized(*slot.tensor), *settings.quantization));
    } else if (!(head && tied)) {
      const bool trained = slot.tensor->requires_grad();
      layer->set_tensor(slot.name, sized(slot.tensor->detach()));
      slot.tensor->set_requires_grad(trained);
    }
  }
  if (tied) { decoder.lm_head->set_tensor("weight", decoder.embed_tokens->weight); }
}

void move_adapters(model::MiDashengLM& model) {
  for (const auto& module : model.modules()) {
    auto* const linear = dynamic_cast<layers::Linear*>(module.get());
    if (!linear || !linear->adapter) { continue; }
    linear->adapter->a = sized(linear->adapter->a);
    linear->adapter->b = sized(linear->adapter->b);
  }
}

/// Rows of the given sizes. Values do not matter, but the places of the sound must be there.
batch::Batch make_batch(const std::vector<RowSize>& rows, const model::ModelConfig& config) {
  int64_t tokens = 1, samples = 1;
  const auto count = static_cast<int64_t>(rows.size());
  const auto tokens_of = [&](const RowSize& row) {
    return std::max(row.tokens, model::audio_token_count(row.samples, config) + 1);
  };
  for (const RowSize& row : rows) {
    tokens = std::max(tokens, tokens_of(row));
    samples = std::max(samples, row.samples);
  }
  const int64_t word = config.audio_token_id == 0 ? 1 : 0;
  batch::Batch batch{.input_ids = torch::full({count, tokens}, word, at::kLong),
                     .attention_mask = torch::zeros({count, tokens}, at::kLong),
                     .input_values = at::empty({count, samples}, at::TensorOptions().device(sized_device())),
                     .audio_length = torch::empty({count}, at::kLong),
                     .labels = torch::full({count, tokens}, dataset::kIgnoredLabel, at::kLong)};
  for (int64_t i = 0; i < count; ++i) {
    const RowSize& row = rows[static_cast<size_t>(i)];
    const int64_t real = tokens_of(row), labels = std::min(row.labels, real - 1);
    batch.attention_mask[i].narrow(0, tokens - real, real).fill_(1);
    batch.input_ids[i]
        .narrow(0, tokens - real, model::audio_token_count(row.samples, config))
        .fill_(config.audio_token_id);
    batch.labels[i].narrow(0, tokens - labels, labels).fill_(word);
    batch.audio_length[i] = row.samples;
  }
  return batch;
}

}  // namespace

struct StepMeter::Made {
  StepSettings settings;
  std::shared_ptr<model::MiDashengLM> model;
  std::vector<at::Tensor> trained;
  training::AdamW::State moments;
  int64_t start = 0;  ///< bytes of the device before
  StepMemory fixed;
};

StepMeter::StepMeter(const StepSettings& settings) : made_(std::make_unique<Made>()) {
  Made& made = *made_;
  made.settings = settings;
  int64_t before = made.start = (static_cast<void>(sized_device()), sized_bytes().live);
  const auto grown = [&] {
    const int64_t now = sized_bytes().live, more = now - before;
    before = now;
    return more;
  };
  made.model = std::make_shared<model::MiDashengLM>(settings.config, settings.dtype);
  adapter::attach_lora(*made.model, settings.lora, 0);
  move_base(*made.model, settings);
  made.fixed.weights = grown();
  move_adapters(*made.model);
  made.fixed.adapters = grown();
  for (const auto& [name, tensor] : adapter::lora_parameters(*made.model)) { made.trained.push_back(tensor); }
  made.moments = training::AdamW(made.trained).state();
  made.fixed.moments = grown();
  made.model->use_running_statistics(settings.frozen_batch_norm);
  made.model->set_gradient_checkpointing(settings.gradient_checkpointing);
}

StepMeter::~StepMeter() = default;

StepMemory StepMeter::training(const std::vector<RowSize>& rows) {
  Made& made = *made_;
  StepMemory memory = made.fixed;
  made.model->train();
  const int64_t before = sized_bytes().live;
  if (made.settings.gradients_stay) {
    for (at::Tensor& tensor : made.trained) { tensor.mutable_grad() = at::empty_like(tensor); }
    memory.gradients = sized_bytes().live - before;
  }
  forget_peak();
  {
    const batch::Batch batch = make_batch(rows, made.settings.config);
    const at::Tensor loss = made.model->loss_sum(batch) * 1.0;
    memory.kept = sized_bytes().live - before - memory.gradients;
    loss.backward();
  }
  memory.peak = sized_bytes().peak - made.start;
  for (at::Tensor& tensor : made.trained) { tensor.mutable_grad().reset(); }
  memory.working = memory.peak - memory.weights - memory.adapters - memory.moments - memory.gradients - memory.kept;
  return memory;
}

int64_t StepMeter::evaluation(const std::vector<RowSize>& rows) {
  made_->model->eval();
  const torch::NoGradGuard no_grad;
  forget_peak();
  static_cast<void>(made_->model->loss_sum(make_batch(rows, made_->settings.config)));
  return sized_bytes().peak - made_->start;
}

int64_t StepMeter::answering(const std::vector<RowSize>& rows, int64_t tokens) {
  model::MiDashengLM& model = *made_->model;
  std::vector<RowSize> prompts = rows;
  for (RowSize& row : prompts) {
    row.tokens = std::max<int64_t>(row.tokens - row.labels, 1);
    row.labels = 0;
  }
  model.eval();
  const torch::NoGradGuard no_grad;
  forget_peak();
  auto [logits, cache] = model.read_prompts(make_batch(prompts, made_->settings.config));
  const at::Tensor last = at::empty({std::ssize(rows)}, at::TensorOptions().dtype(at::kLong).device(sized_device()));
  for (int64_t i = 0; i < tokens; ++i) { logits = model.next_logits(last, cache); }
  return sized_bytes().peak - made_->start;
}

}  // namespace mdl::worker::plan

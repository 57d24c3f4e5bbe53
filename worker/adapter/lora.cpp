#include "worker/adapter/lora.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <c10/core/GradMode.h>

#include <cmath>
#include <set>
#include <unordered_set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_plan.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::adapter {
namespace {

/// Marks a weight as trained. A tied one gets memory of its own first.
void train_whole(at::Tensor& weight, const at::Tensor& tied_to) {
  if (weight.is_same(tied_to)) { weight = weight.clone(); }
  weight.set_requires_grad(true);
}

struct NamedLinear {
  std::string name;
  layers::Linear* layer;
};

std::vector<NamedLinear> linear_layers(model::MiDashengLM& model) {
  std::vector<NamedLinear> layers;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    if (auto* layer = dynamic_cast<layers::Linear*>(item.value().get())) { layers.push_back({item.key(), layer}); }
  }
  return layers;
}

/// A uniform, B zero; on the layer's device, the meta device included.
layers::LoraAdapter fresh_adapter(const layers::Linear& layer, int64_t rank, double scaling, double dropout,
                                  at::Generator& generator) {
  const at::Device device = layer.device();
  const bool meta = device.is_meta();
  const auto options = at::TensorOptions().dtype(at::kFloat).device(meta ? at::kMeta : at::kCPU);
  at::Tensor a = at::empty({rank, layer.in_features()}, options);
  // Kaiming's uniform bound sqrt(6 / ((1 + slope²) · fan_in)) with slope² = 5.
  const double bound = 1.0 / std::sqrt(static_cast<double>(layer.in_features()));
  if (!meta) { a.uniform_(-bound, bound, generator); }
  layers::LoraAdapter adapter{a.to(device), at::zeros({layer.out_features(), rank}, options.device(device)), scaling,
                              dropout};
  adapter.a.set_requires_grad(true);
  adapter.b.set_requires_grad(true);
  return adapter;
}

/// The names of a few linear layers, of all parts of the model.
std::string example_layers(model::MiDashengLM& model) {
  const auto all = linear_layers(model);
  std::string names;
  for (std::size_t i = 0; i < all.size(); i += std::max<std::size_t>(1, all.size() / 4)) {
    names += (names.empty() ? "" : ", ") + all[i].name;
  }
  return names;
}

/// The layers that get an adapter.
std::vector<NamedLinear> selected_layers(model::MiDashengLM& model, const LoraConfig& config, const AdapterPlan& plan) {
  std::vector<NamedLinear> selected;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const std::string& name = item.key();
    if (!plan.adapts(name)) { continue; }
    auto* const layer = dynamic_cast<layers::Linear*>(item.value().get());
    if (!layer) { throw UsageError(str_cat("an adapter on ", name, " is not possible: it is no linear layer")); }
    selected.push_back(NamedLinear{name, layer});
  }
  if (selected.empty()) {
    throw UsageError("no layer of the model gets an adapter",
                     config.layers
                         ? str_cat("The expression or names (", describe_layers(config),
                                   ") fit no linear layer of this model, among them ", example_layers(model), ".")
                         : "Name encoder, projector or decoder in --train-target.");
  }
  return selected;
}

}  // namespace

LinearLayerNames linear_layer_names(const model::ModelConfig& config) {
  model::MiDashengLM model(config, at::kFloat);  // on the meta device
  LinearLayerNames names{
      .all = {}, .decoder = model::decoder_type(config.text).names, .encoder_blocks = config.audio.names.blocks};
  for (const auto& [name, layer] : linear_layers(model)) { names.all.push_back(name); }
  return names;
}

void check_lora(const model::ModelConfig& config, const LoraConfig& lora) {
  model::MiDashengLM model(config, at::kFloat);  // on the meta device
  selected_layers(model, lora, AdapterPlan(lora, model::decoder_type(config.text).names));
}

void attach_lora(model::MiDashengLM& model, const LoraConfig& config, uint64_t seed) {
  if (config.rank < 1) {
    throw UsageError(str_cat("a LoRA rank of ", config.rank, " is impossible; it must be at least 1"));
  }
  if (!(config.dropout >= 0 && config.dropout < 1)) {
    throw UsageError(
        str_cat("a LoRA dropout of ", config.dropout, " is impossible; it must be at least 0 and below 1"));
  }
  const AdapterPlan plan(config, model::decoder_type(model.config().text).names);
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const auto& [name, layer] : selected_layers(model, config, plan)) {
    layer->adapter = fresh_adapter(*layer, plan.rank(name), plan.scaling(name), config.dropout, generator);
  }
  auto& decoder = *model.decoder;
  if (config.targets.count(Target::embed_tokens)) {
    train_whole(decoder.embed_tokens->weight, decoder.lm_head->weight);
  }
  if (config.targets.count(Target::lm_head)) { train_whole(decoder.lm_head->weight, decoder.embed_tokens->weight); }
}

tensors::NamedTensors lora_parameters(model::MiDashengLM& model) {
  tensors::NamedTensors parameters;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    parameters.emplace_back("base_model.model." + name + ".weight", tensor);
  };
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const std::string& name = item.key();
    if (const auto* embedding = dynamic_cast<const layers::Embedding*>(item.value().get())) {
      if (embedding->weight.requires_grad()) { add(name, embedding->weight); }
    } else if (const auto* linear = dynamic_cast<const layers::Linear*>(item.value().get())) {
      if (linear->weight.requires_grad()) { add(name, linear->weight); }
      if (!linear->adapter) { continue; }
      add(name + ".lora_A", linear->adapter->a);
      add(name + ".lora_B", linear->adapter->b);
    }
  }
  return parameters;
}

void check_lora_file(model::MiDashengLM& model, const std::filesystem::path& adapter_file, bool dora) {
  const tensors::SafetensorsFile file(adapter_file);
  auto parameters = lora_parameters(model);
  for (const auto& [name, layer] : linear_layers(model)) {
    if (!dora || !layer->adapter) { continue; }
    parameters.emplace_back(str_cat("base_model.model.", name, ".", kMagnitude),
                            at::empty({layer->out_features()}, at::kMeta));
  }
  std::string faults;
  std::set<std::string> known;
  for (const auto& [name, tensor] : parameters) {
    known.insert(name);
    const auto found = file.entries().find(name);
    if (found == file.entries().end()) {
      faults += "\n    missing: " + name;
    } else if (tensor.sizes() != found->second.shape) {
      faults += str_cat("\n    wrong shape: ", name, " is ", at::IntArrayRef(found->second.shape), ", must be ",
                        tensor.sizes());
    }
  }
  for (const auto& [name, entry] : file.entries()) {
    if (!known.count(name)) { faults += "\n    not part of this adapter: " + name; }
  }
  if (!faults.empty()) {
    throw UsageError(
        str_cat(adapter_file.string(), ": the adapter does not fit the model and its adapter_config.json:", faults),
        "Give --model-name the model that the adapter was trained on.");
  }
}

void load_lora(model::MiDashengLM& model, const std::filesystem::path& adapter_file) {
  check_lora_file(model, adapter_file);
  const tensors::SafetensorsFile file(adapter_file);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : lora_parameters(model)) { tensor.copy_(file.tensor(name)); }
}

void part_adapted_head(model::MiDashengLM& model) {
  auto& head = *model.decoder->lm_head;
  if (head.adapter && model.decoder->is_tied()) { head.weight = head.weight.clone(); }
}

void merge_lora_into(model::MiDashengLM& model, const tensors::NamedTensors& tensors) {
  std::unordered_set<const void*> chosen;
  for (const auto& [name, tensor] : tensors) { chosen.insert(tensor.unsafeGetTensorImpl()); }
  for (const auto& [name, layer] : linear_layers(model)) {
    if (chosen.contains(layer->weight.unsafeGetTensorImpl())) { layer->merge(); }
  }
}

void merge_lora(model::MiDashengLM& model) {
  part_adapted_head(model);
  for (const auto& [name, layer] : linear_layers(model)) { layer->merge(); }
  model.decoder->embed_tokens->weight.set_requires_grad(false);
  model.decoder->lm_head->weight.set_requires_grad(false);
}

ParameterCounts count_parameters(model::MiDashengLM& model) {
  ParameterCounts counts{0, 0};
  std::unordered_set<const void*> seen;  // a tied weight has two names
  for (const auto& [layer, slot, name] : layers::tensor_slots(model)) {
    const bool first = seen.insert(slot.tensor->unsafeGetTensorImpl()).second;
    if (!slot.is_buffer && first) { counts.all += slot.tensor->numel(); }
  }
  for (const auto& [name, tensor] : lora_parameters(model)) { counts.trainable += tensor.numel(); }
  counts.all += counts.trainable;
  return counts;
}

}  // namespace mdl::worker::adapter

#include "worker/model/adapter_folder.hpp"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/json_fields.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "base_model.model.";

/// Refuses what would change the adapter's output, unless it has a value that asks for nothing.
void refuse_variants(const JsonFields& fields) {
  for (const char* key : {"use_dora", "use_qalora", "fan_in_fan_out", "lora_bias"}) {
    if (fields.boolean(key, false)) fields.reject(key, "only plain LoRA adapters are supported");
  }
  for (const char* key : {"rank_pattern", "alpha_pattern"}) {
    const auto* value = fields.find(key);
    if (value && !value->empty()) fields.reject(key, "only adapters with one rank and alpha are supported");
  }
  if (fields.text("bias", "none") != "none") fields.reject("bias", "only adapters without biases are supported");
  for (const char* key : {"trainable_token_indices", "target_parameters", "layer_replication"}) {
    const auto* value = fields.find(key);
    if (value && !value->empty()) fields.reject(key, "it is not supported");
  }
}

/// The two matrices of one layer.
struct Pair {
  at::Tensor a, b;
};

/// The adapter's tensors by what they belong to.
struct Contents {
  std::map<std::string, Pair> layers;       ///< by the layer's name
  std::map<std::string, at::Tensor> whole;  ///< embed_tokens and lm_head, by their layer's name
  std::string faults;
};

bool take_ending(std::string& name, const std::string& ending) {
  if (!name.ends_with(ending)) return false;
  name.resize(name.size() - ending.size());
  return true;
}

Contents read_contents(const SafetensorsFile& file) {
  Contents contents;
  for (const auto& [full_name, entry] : file.entries()) {
    std::string name = full_name;
    if (!name.starts_with(kPrefix)) {
      contents.faults += "\n    not an adapter's: " + full_name;
      continue;
    }
    name.erase(0, std::string(kPrefix).size());
    if (take_ending(name, ".lora_A.weight")) {
      contents.layers[name].a = file.tensor(full_name);
    } else if (take_ending(name, ".lora_B.weight")) {
      contents.layers[name].b = file.tensor(full_name);
    } else if (take_ending(name, ".weight") && (name == "decoder.model.embed_tokens" || name == "decoder.lm_head")) {
      contents.whole[name] = file.tensor(full_name);
    } else {
      contents.faults += "\n    not supported: " + full_name;
    }
  }
  return contents;
}

void check_pair(const std::string& name, const Pair& pair, const Linear* layer, std::string& faults) {
  if (!layer) {
    faults += "\n    the model has no linear layer " + name;
  } else if (!pair.a.defined() || !pair.b.defined()) {
    faults += str_cat("\n    ", name, " has no lora_", pair.a.defined() ? "B" : "A");
  } else if (pair.a.dim() != 2 || pair.b.dim() != 2 || pair.a.size(0) != pair.b.size(1) ||
             pair.a.size(1) != layer->in_features() || pair.b.size(0) != layer->out_features()) {
    faults += str_cat("\n    wrong shape: ", name, " has ", pair.a.sizes(), " and ", pair.b.sizes(),
                      ", but the layer goes from ", layer->in_features(), " to ", layer->out_features());
  }
}

}  // namespace

AdapterFolder AdapterFolder::load(const fs::path& folder) {
  const fs::path path = folder / "adapter_config.json";
  if (!fs::exists(path) || !fs::exists(folder / "adapter_model.safetensors")) {
    throw UsageError(str_cat(folder.string(), " is no adapter's folder"),
                     "It needs adapter_config.json and adapter_model.safetensors, as train and PEFT write them.");
  }
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(read_text(path));
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str_cat(path.string(), " is not valid JSON: ", error.what()));
  }
  const JsonFields fields(document, path.string(), "");
  if (fields.text("peft_type") != "LORA") fields.reject("peft_type", "only LoRA adapters are supported");
  refuse_variants(fields);
  AdapterFolder adapter;
  adapter.folder = folder;
  adapter.base_model = fields.text("base_model_name_or_path", "");
  adapter.alpha = fields.number("lora_alpha", 8.0);  // PEFT's default
  adapter.rank_stabilized = fields.boolean("use_rslora", false);
  return adapter;
}

double AdapterFolder::scaling(int64_t rank) const {
  const auto r = static_cast<double>(rank);
  return alpha / (rank_stabilized ? std::sqrt(r) : r);
}

void apply_adapter(MiDashengLM& model, const AdapterFolder& adapter) {
  const fs::path path = adapter.folder / "adapter_model.safetensors";
  const SafetensorsFile file(path);
  Contents contents = read_contents(file);
  std::map<std::string, Linear*> linears;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    if (auto* layer = dynamic_cast<Linear*>(item.value().get())) linears[item.key()] = layer;
  }
  const auto find = [&](const std::string& name) {
    const auto found = linears.find(name);
    return found == linears.end() ? nullptr : found->second;
  };
  for (const auto& [name, pair] : contents.layers) check_pair(name, pair, find(name), contents.faults);
  auto& decoder = *model.decoder;
  for (const auto& [name, weight] : contents.whole) {
    if (weight.sizes() != decoder.embed_tokens->weight.sizes()) {
      contents.faults += str_cat("\n    wrong shape: ", name, " is ", weight.sizes(), ", must be ",
                                 decoder.embed_tokens->weight.sizes());
    }
  }
  if (contents.layers.empty() && contents.whole.empty()) contents.faults += "\n    it is empty";
  if (!contents.faults.empty()) {
    throw UsageError(str_cat(path.string(), ": the adapter does not fit the model:", contents.faults),
                     "Give --model-name the model that the adapter was trained on.");
  }
  for (const auto& [name, pair] : contents.layers) {
    Linear* const layer = find(name);
    const auto ready = [&](const at::Tensor& x) {
      return x.to(model.device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    };
    layer->adapter = LoraAdapter{ready(pair.a), ready(pair.b), adapter.scaling(pair.a.size(0)), /*dropout=*/0.0};
  }
  for (const auto& [name, weight] : contents.whole) {
    const at::Tensor ready = weight.to(model.device(), model.dtype(), /*non_blocking=*/false, /*copy=*/true);
    if (name == "decoder.lm_head") {
      decoder.lm_head->set_tensor("weight", ready);
    } else {
      decoder.embed_tokens->set_tensor("weight", ready);
    }
  }
}

}  // namespace mdl

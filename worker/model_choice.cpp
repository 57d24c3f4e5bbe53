#include "worker/model_choice.hpp"

#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/model/decoders.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// How the base of an adapter is called on a command line.
std::string base_name(const adapter::AdapterConfig& config) {
  const bool at_hub = hub::parse_model_name(config.base_model) && !fs::is_directory(config.base_model);
  return at_hub && !config.base_revision.empty() ? str_cat(config.base_model, "@", config.base_revision)
                                                 : config.base_model;
}

fs::path find(const std::string& name, hub::Parts parts, const InferenceOptions& options) {
  return hub::find_model(name, parts, options.rows.from_modelscope).folder;
}

/// The model that the adapter names, which is not what the user typed: an error says where the name comes from.
fs::path find_base(const ModelChoice& choice, hub::Parts parts, const InferenceOptions& options) {
  try {
    return find(choice.name, parts, options);
  } catch (const Error& error) {
    const std::string advice =
        options.rows.from_modelscope ? "" : "A model of ModelScope needs --from-modelscope true again. ";
    throw Error(str_cat(error.problem(), " (the model that ", choice.adapter->config_file().string(), " names)"),
                advice + error.advice(), error.exit_code());
  }
}

}  // namespace

ModelChoice choose_model(const InferenceOptions& options, adapter::AdapterUse use) {
  ModelChoice choice{.folder = {}, .adapter = std::nullopt, .name = options.model_name};
  if (options.adapter) { choice.adapter = adapter::AdapterFolder::load(*options.adapter, use); }
  choice.folder = find(options.model_name, hub::Parts::without_weights, options);
  if (!fs::exists(choice.folder / "config.json") && fs::exists(choice.folder / "adapter_config.json")) {
    if (options.adapter) {
      throw UsageError(str_cat(choice.folder.string(), " is an adapter, and so is ", options.adapter->string()),
                       "An adapter goes onto a model: name the model in place of the first one.");
    }
    choice.adapter = adapter::AdapterFolder::load(choice.folder, use);
    choice.name = base_name(choice.adapter->config);
    choice.folder = find_base(choice, hub::Parts::without_weights, options);
  }
  if (options.merge_adapter && !choice.adapter) {
    throw UsageError("--merge-adapter true, but there is no adapter", "Name it with --adapter.");
  }
  // Else the headers of the weights say more.
  if (!tensors::SafetensorsFolder::is_at(choice.folder)) { model::load_config(choice.folder); }
  return choice;
}

void fetch_weights(ModelChoice& choice, const InferenceOptions& options) {
  choice.folder = choice.name == options.model_name ? find(choice.name, hub::Parts::all, options)
                                                    : find_base(choice, hub::Parts::all, options);
}

namespace {

/// The type that config.json names, or its text_config; "auto" says nothing.
std::string named_type(const json& config) {
  for (const json& part : {config, config.value("text_config", json::object())}) {
    for (const char* key : {"dtype", "torch_dtype"}) {
      const auto found = part.find(key);
      if (found != part.end() && found->is_string() && *found != "auto") { return found->get<std::string>(); }
    }
  }
  return {};
}

}  // namespace

at::ScalarType stored_type(const fs::path& folder) {
  std::string name = named_type(json::parse(read_text(folder / "config.json")));
  if (name.empty()) {
    const tensors::SafetensorsFolder files(folder);
    const std::string weight = model::decoder_type(model::load_config(folder).text).names.embed_tokens + ".weight";
    name = files.contains(weight) && files.entry(weight).dtype == at::kBFloat16 ? "bfloat16" : "float32";
  }
  if (name == "float32") { return at::kFloat; }
  if (name == "bfloat16") { return at::kBFloat16; }
  throw UsageError(str_cat((folder / "config.json").string(), ": the weights are ", name),
                   "Say --bf16 true or --bf16 false: this program computes in bfloat16 or float32.");
}

std::shared_ptr<model::MiDashengLM> load_chosen_model(const ModelChoice& choice, bool merge, at::ScalarType dtype,
                                                      at::Device device, const layers::Quantize& quantize,
                                                      const model::LoadProgress& progress) {
  auto model = model::load_model(choice.folder, dtype, device, quantize, progress);
  if (choice.adapter) {
    adapter::apply_adapter(*model, *choice.adapter);
    adapter::load_running_statistics(*model, choice.adapter->folder);
  }
  if (merge) { adapter::merge_lora(*model); }
  model->eval();
  return model;
}

}  // namespace mdl::worker

#include "worker/adapter/adapter_folder.hpp"

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/formats/run_folder.hpp"

namespace mdl::worker::adapter {

namespace fs = std::filesystem;

AdapterFolder AdapterFolder::load(const fs::path& folder, AdapterUse use) {
  AdapterFolder adapter{folder, {}};
  if (!fs::exists(adapter.config_file()) || !fs::exists(adapter.weights_file())) {
    const std::string advice =
        fs::exists(folder / "config.json")
            ? "It is a whole model: train merges the adapter into its final/ unless --merge-lora false."
            : "It needs adapter_config.json and adapter_model.safetensors, as train and PEFT write them.";
    throw UsageError(str_cat(folder.string(), " is no adapter's folder"), formats::hint_of_final(folder) + advice);
  }
  adapter.config = parse_adapter_config(read_text(adapter.config_file()), adapter.config_file(), use);
  for (const std::string& key : adapter.config.unknown) {
    log::warning(adapter.config_file().string(), ": \"", key, "\" is unknown to this program and does not count");
  }
  return adapter;
}

void check_adapter(const model::ModelConfig& config, const AdapterFolder& adapter) {
  model::MiDashengLM model(config, at::kFloat);  // on the meta device
  attach_lora(model, adapter.config.lora, /*seed=*/0);
  check_lora_file(model, adapter.weights_file(), adapter.config.dora);
}

void apply_adapter(model::MiDashengLM& model, const AdapterFolder& adapter) {
  attach_lora(model, adapter.config.lora, /*seed=*/0);
  load_lora(model, adapter.weights_file());
  for (const auto& [name, tensor] : lora_parameters(model)) { at::Tensor(tensor).set_requires_grad(false); }
}

}  // namespace mdl::worker::adapter

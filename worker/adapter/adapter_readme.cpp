#include "worker/adapter/adapter_readme.hpp"

#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"

namespace mdl::worker::adapter {
namespace {

// The name of the statistics' file is running_statistics.hpp's; a test runs the code. INIT_BN stands for the module.
constexpr const char* kText = R"md(library_name: peft
tags:
- lora
---

# LoRA adapter of a MiDashengLM model

Training also moved the statistics of the audio encoder's first layer (`INIT_BN`). PEFT's adapters have no
place for them, so they lie beside this one in `batch_norm.safetensors`. Without them the model is not quite the one that
was trained.

`mdl-toolkit inference --adapter` and `mdl-toolkit train --initial-adapter` read them by themselves. With PEFT:

```python
import os

from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

adapter = "."  # this folder
config = PeftConfig.from_pretrained(adapter)
base, revision = config.base_model_name_or_path, config.revision or "main"
model = AutoModelForCausalLM.from_pretrained(base, revision=revision, trust_remote_code=True)
model = PeftModel.from_pretrained(model, adapter)
statistics = load_file(os.path.join(adapter, "batch_norm.safetensors"))
model.get_base_model().get_submodule("INIT_BN").load_state_dict(statistics, strict=False)
model.eval()
```

`model.merge_and_unload()` then gives the whole model.
)md";

}  // namespace

std::string adapter_readme(const BaseModel& base_model, const std::string& init_bn) {
  std::string text = kText;
  constexpr std::string_view kModule = "INIT_BN";
  for (auto at = text.find(kModule); at != std::string::npos; at = text.find(kModule, at + init_bn.size())) {
    text.replace(at, kModule.size(), init_bn);
  }
  // A JSON string is a YAML one, whatever characters the name has.
  return str_cat("---\nbase_model: ",
                 nlohmann::json(base_model.name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), "\n",
                 text);
}

}  // namespace mdl::worker::adapter

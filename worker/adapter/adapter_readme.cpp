#include "worker/adapter/adapter_readme.hpp"

#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"

namespace mdl::worker::adapter {
namespace {

// The name of the statistics' file is running_statistics.hpp's; tests run the code. INIT_BN stands for the module, the
// lines SNAPSHOT_IMPORT and LOAD_BASE for what depends on the hub.
constexpr const char* kText = R"md(library_name: peft
tags:
- lora
---

# LoRA adapter of a MiDashengLM model

Training also moved the statistics of the audio encoder's first layer (`INIT_BN`). PEFT's adapters have no
place for them, so they lie beside this one in `batch_norm.safetensors`. Without them the model is not quite the one that
was trained.

`mdl-toolkit inference --adapter` and `mdl-toolkit train --initial-adapter` read them by themselves.FROM_MODELSCOPE With PEFT:

```python
import os

SNAPSHOT_IMPORTfrom peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

adapter = "."  # this folder
config = PeftConfig.from_pretrained(adapter)
LOAD_BASEmodel = PeftModel.from_pretrained(model, adapter)
statistics = load_file(os.path.join(adapter, "batch_norm.safetensors"))
model.get_base_model().get_submodule("INIT_BN").load_state_dict(statistics, strict=False)
model.eval()
```

`model.merge_and_unload()` then gives the whole model.
)md";

constexpr const char* kLoadFromHuggingFace =
    R"(base, revision = config.base_model_name_or_path, config.revision or "main"
model = AutoModelForCausalLM.from_pretrained(base, revision=revision, trust_remote_code=True)
)";

constexpr const char* kLoadFromModelscope =
    R"(base = snapshot_download(config.base_model_name_or_path, revision=config.revision)  # a name at ModelScope
model = AutoModelForCausalLM.from_pretrained(base, trust_remote_code=True)
)";

void replace_all(std::string& text, std::string_view old_part, std::string_view new_part) {
  for (auto at = text.find(old_part); at != std::string::npos; at = text.find(old_part, at + new_part.size())) {
    text.replace(at, old_part.size(), new_part);
  }
}

}  // namespace

std::string adapter_readme(const BaseModel& base_model, const std::string& init_bn) {
  std::string text = kText;
  const bool modelscope = base_model.at_modelscope;
  replace_all(text, "INIT_BN", init_bn);
  replace_all(text, "FROM_MODELSCOPE",
              modelscope ? " The model is ModelScope's:\ninference needs `--from-modelscope true`." : "");
  replace_all(text, "SNAPSHOT_IMPORT", modelscope ? "from modelscope import snapshot_download\n" : "");
  replace_all(text, "LOAD_BASE", modelscope ? kLoadFromModelscope : kLoadFromHuggingFace);
  // A JSON string is a YAML one, whatever characters the name has.
  return str_cat("---\nbase_model: ",
                 nlohmann::json(base_model.name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), "\n",
                 text);
}

}  // namespace mdl::worker::adapter

#include "worker/merge/model_card.hpp"

#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"

namespace mdl::worker::merge {
namespace {

/// A JSON string is a YAML one, whatever characters it has.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A cell of a table: no '|' or line end of the text's own.
std::string cell(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|') { safe += '\\'; }
    safe += c == '\n' || c == '\r' ? ' ' : c;
  }
  return safe;
}

std::string table(const char* first, const char* second, const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text = str_cat("| ", first, " | ", second, " |\n|---|---|\n");
  for (const auto& [name, value] : rows) { text += str_cat("| ", cell(name), " | ", cell(value), " |\n"); }
  return text;
}

constexpr const char* kUse = R"md(
## Use

```sh
mdl-toolkit inference clips.csv --model-name . --output answers.csv --user-prompt "What is heard?"
vllm serve . --trust-remote-code
```

```python
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(".", trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(".")
processor = AutoProcessor.from_pretrained(".", trust_remote_code=True)
```

The code that comes with the model is made for transformers 4.57.
)md";

}  // namespace

std::string model_card(const CardFacts& facts) {
  std::string text = str_cat("---\nbase_model: ", quoted(facts.base_model),
                             "\nbase_model_relation: finetune\nlibrary_name: transformers\ntags:\n- lora\n- merged\n"
                             "---\n\n# MiDashengLM with a merged LoRA adapter\n\n");
  text += str_cat("The weights (", facts.dtype, ") are those of ", cell(facts.base_model), " with the adapter of ",
                  cell(facts.adapter), " merged into them: ", cell(facts.lora), ".",
                  facts.moved_statistics ? " The statistics of the audio encoder's first layer, which training moved, "
                                           "are the trained ones."
                                         : "",
                  " Its licence is the base model's.\n", kUse);
  if (facts.trained_for) { text += str_cat("\n## Training\n\n", *facts.trained_for, ".\n"); }
  if (!facts.metrics.empty()) { text += "\n" + table("metric", "value", facts.metrics); }
  if (!facts.settings.empty()) { text += "\n" + table("setting", "value", facts.settings); }
  if (!facts.versions.empty()) { text += "\n" + table("made with", "version", facts.versions); }
  return text;
}

}  // namespace mdl::worker::merge

#include "worker/answer_fingerprint.hpp"

#include <algorithm>

#include "common/atomic_file.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

void add_texts(dataset::Fingerprint& print, const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (fs::exists(folder / name)) { print.add(read_text(folder / name)); }
  }
}

void add_weights_in(dataset::Fingerprint& print, const fs::path& folder) {
  std::vector<fs::path> weights;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") { weights.push_back(entry.path()); }
  }
  std::sort(weights.begin(), weights.end());
  for (const fs::path& path : weights) {
    print.add(path.filename().string());
    print.add(static_cast<int64_t>(fs::file_size(path)));
    print.add(fs::last_write_time(path).time_since_epoch().count());
  }
}

}  // namespace

dataset::Fingerprint common_facts(const InferenceOptions& options, const ModelChoice& model, at::ScalarType dtype) {
  dataset::Fingerprint print;
  print.add(read_text(fs::is_directory(options.input) ? options.input / "state.json" : options.input));
  print.add(options.rows.defaults.system_prompt.value_or(""));
  print.add(options.rows.defaults.user_prompt.value_or(""));
  print.add(options.rows.defaults.base_dir.string());
  print.add(options.quantization ? options.quantization->name() : "");
  add_texts(
      print, model.folder,
      {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"});
  if (model.adapter) { add_texts(print, model.adapter->folder, {"adapter_config.json"}); }
  for (const int64_t value : {options.max_length, options.max_new_tokens.value_or(-1), int64_t{options.merge_adapter},
                              static_cast<int64_t>(options.seed), static_cast<int64_t>(dtype)}) {
    print.add(value);
  }
  return print;
}

void add_weights(dataset::Fingerprint& print, const ModelChoice& model) {
  add_weights_in(print, model.folder);
  if (model.adapter) { add_weights_in(print, model.adapter->folder); }
}

}  // namespace mdl::worker

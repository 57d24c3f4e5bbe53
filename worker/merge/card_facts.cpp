#include "worker/merge/card_facts.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/atomic_file.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/run_identity.hpp"

namespace mdl::worker::merge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& file) {
  std::error_code none;
  if (!fs::is_regular_file(file, none)) { return json::object(); }
  const json value = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  return value.is_object() ? value : json::object();
}

/// Of a run whose final/ is made from its best checkpoint, when `newest` is its last one: that one, and by what it was
/// chosen.
struct BestCheckpoint {
  fs::path folder;
  std::string chosen_by;  ///< "eval_accuracy 0.75"
};

std::optional<BestCheckpoint> best_checkpoint(const fs::path& newest) {
  const json state = read_json(newest / "trainer_state.json");
  const json options = read_json(newest / training::checkpoint::kRunIdentityFile).value("options", json::object());
  const auto setting = [&](const char* name) {
    const auto found = options.is_object() ? options.find(name) : options.end();
    return found != options.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto best = state.find("best_model_checkpoint"), metric = state.find("best_metric");
  if (setting("--load-best-model-at-end") != "true" || best == state.end() || !best->is_string()) {
    return std::nullopt;
  }
  const fs::path folder = newest.parent_path() / fs::path(best->get<std::string>()).filename();
  const std::string name = setting("--metric-for-best-model");
  const bool known = metric != state.end() && metric->is_number();
  return BestCheckpoint{folder,
                        str_cat(name.empty() || name == "none" ? "eval_loss" : name,
                                known ? str_cat(' ', training::checkpoint::setting_text(metric->get<double>())) : "")};
}

std::string number_text(const json& value) {
  return value.is_number() ? training::checkpoint::setting_text(value.get<double>()) : value.dump();
}

void add_metrics(const json& state, CardFacts& facts) {
  const auto log = state.find("log_history");
  if (log == state.end() || !log->is_array()) { return; }
  std::optional<std::pair<double, std::string>> last_loss, last_evaluation, best_evaluation;
  for (const json& entry : *log) {
    if (!entry.is_object()) { continue; }
    const std::string at = str_cat(" (step ", entry.contains("step") ? entry["step"].dump() : "?", ")");
    const auto take = [&](const char* key) -> std::optional<std::pair<double, std::string>> {
      const auto found = entry.find(key);
      if (found == entry.end() || !found->is_number()) { return std::nullopt; }
      return std::pair(found->get<double>(), number_text(*found) + at);
    };
    if (auto loss = take("loss")) { last_loss = std::move(loss); }
    if (auto loss = take("eval_loss")) {
      if (!best_evaluation || loss->first < best_evaluation->first) { best_evaluation = loss; }
      last_evaluation = std::move(loss);
    }
  }
  if (last_loss) { facts.metrics.emplace_back("last training loss", last_loss->second); }
  if (last_evaluation) { facts.metrics.emplace_back("last eval_loss", last_evaluation->second); }
  if (best_evaluation) { facts.metrics.emplace_back("best eval_loss", best_evaluation->second); }
}

/// The folder with the training's files: the adapter's own, or of its run the checkpoint that final/ is made from.
fs::path training_folder(const fs::path& adapter, CardFacts& facts) {
  if (fs::exists(adapter / "trainer_state.json")) { return adapter; }
  const fs::path run = fs::absolute(adapter).lexically_normal().parent_path();
  const bool is_final = fs::absolute(adapter).lexically_normal().filename() == "final";
  const auto checkpoints = is_final ? training::checkpoint::list_checkpoints(run) : std::vector<fs::path>();
  if (checkpoints.empty()) { return adapter; }
  const auto best = best_checkpoint(checkpoints.back());
  if (!best) { return checkpoints.back(); }
  facts.metrics.emplace_back("chosen by", best->chosen_by);
  return best->folder;
}

void add_training(const fs::path& folder, CardFacts& facts) {
  const json state = read_json(folder / "trainer_state.json");
  if (state.contains("global_step") && state.contains("epoch")) {
    facts.trained_for = str_cat(number_text(state["global_step"]), " steps, ", number_text(state["epoch"]), " epochs");
  }
  add_metrics(state, facts);
  const json run = read_json(folder / training::checkpoint::kRunIdentityFile);
  for (const char* part : {"identity", "options"}) {
    const auto settings = run.find(part);
    if (settings == run.end() || !settings->is_object()) { continue; }
    for (const auto& [name, value] : settings->items()) {
      if (value.is_string()) { facts.settings.emplace_back(name, value.get<std::string>()); }
    }
  }
}

}  // namespace

CardFacts card_facts(const std::string& base_model, const adapter::AdapterFolder& adapter, const std::string& dtype) {
  const fs::path& folder = adapter.folder;
  CardFacts facts{.base_model = base_model,
                  .adapter = folder.string(),
                  .lora = adapter::describe(adapter.config.lora) + (adapter.config.dora ? ", DoRA" : ""),
                  .dtype = dtype,
                  .moved_statistics = fs::exists(folder / adapter::kRunningStatisticsFile)};
  add_training(training_folder(folder, facts), facts);
  facts.versions = {{"mdl-toolkit (native)", version()}};
  return facts;
}

}  // namespace mdl::worker::merge

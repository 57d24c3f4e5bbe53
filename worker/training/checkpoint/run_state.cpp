#include "worker/training/checkpoint/run_state.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

template <typename Value>
nlohmann::json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

/// Nothing where there is no number.
template <typename Number>
std::optional<Number> number_of(const nlohmann::json& saved, const char* key) {
  const auto found = saved.find(key);
  if (found == saved.end() || !found->is_number()) { return std::nullopt; }
  return found->get<Number>();
}

/// 0 where the run had no early stopping.
int64_t saved_patience(const nlohmann::json& saved) {
  const auto at = nlohmann::json::json_pointer(
      "/stateful_callbacks/EarlyStoppingCallback/attributes/early_stopping_patience_counter");
  return saved.contains(at) && saved.at(at).is_number_integer() ? saved.at(at).get<int64_t>() : 0;
}

}  // namespace

void RunState::log(const reports::Metrics& metrics) {
  nlohmann::json entry;
  for (const auto& [name, value] : metrics) { entry[name] = value; }
  entry["step"] = step;
  log_history.push_back(std::move(entry));
}

void RunState::restore(const std::string& json) {
  const auto saved = nlohmann::json::parse(json);
  step = saved.at("global_step").get<int64_t>();
  epoch = saved.at("epoch").get<double>();
  log_history = saved.at("log_history");
  best = {.metric = number_of<double>(saved, "best_metric"),
          .step = number_of<int64_t>(saved, "best_global_step"),
          .folder = {},
          .evaluations_without_gain = saved_patience(saved)};
  const auto folder = saved.find("best_model_checkpoint");
  if (folder != saved.end() && folder->is_string()) { best.folder = folder->get<std::string>(); }
}

std::string RunState::to_json() const {
  const nlohmann::json control = {{"should_epoch_stop", false},
                                  {"should_evaluate", false},
                                  {"should_log", false},
                                  {"should_save", true},
                                  {"should_training_stop", ended()}};
  nlohmann::json callbacks = {{"TrainerControl", {{"args", control}, {"attributes", nlohmann::json::object()}}}};
  if (best_options.patience) {
    callbacks["EarlyStoppingCallback"] = {
        {"args",
         {{"early_stopping_patience", *best_options.patience}, {"early_stopping_threshold", best_options.threshold}}},
        {"attributes", {{"early_stopping_patience_counter", best.evaluations_without_gain}}}};
  }
  const nlohmann::json state = {{"best_global_step", or_null(best.step)},
                                {"best_metric", or_null(best.metric)},
                                {"best_model_checkpoint", or_null(best.folder)},
                                {"epoch", epoch},
                                {"eval_steps", eval_steps},
                                {"global_step", step},
                                {"is_hyper_param_search", false},
                                {"is_local_process_zero", true},
                                {"is_world_process_zero", true},
                                {"log_history", log_history},
                                {"logging_steps", logging_steps},
                                {"max_steps", total_steps},
                                {"num_input_tokens_seen", 0},
                                {"num_train_epochs", epochs},
                                {"save_steps", save_steps},
                                {"stateful_callbacks", callbacks},
                                {"total_flos", 0.0},
                                {"train_batch_size", batch_size},
                                {"trial_name", nullptr},
                                {"trial_params", nullptr}};
  return state.dump(2) + "\n";
}

}  // namespace mdl::worker::training::checkpoint

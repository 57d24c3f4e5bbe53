#include "worker/training/checkpoint/run_state.hpp"

namespace mdl::worker::training::checkpoint {

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
}

std::string RunState::to_json() const {
  const nlohmann::json control = {{"should_epoch_stop", false},
                                  {"should_evaluate", false},
                                  {"should_log", false},
                                  {"should_save", true},
                                  {"should_training_stop", step >= total_steps}};
  const nlohmann::json state = {
      {"best_global_step", nullptr},
      {"best_metric", nullptr},
      {"best_model_checkpoint", nullptr},
      {"epoch", epoch},
      {"eval_steps", eval_steps},
      {"global_step", step},
      {"is_hyper_param_search", false},
      {"is_local_process_zero", true},
      {"is_world_process_zero", true},
      {"log_history", log_history},
      {"logging_steps", 1},
      {"max_steps", total_steps},
      {"num_input_tokens_seen", 0},
      {"num_train_epochs", epochs},
      {"save_steps", save_steps},
      {"stateful_callbacks", {{"TrainerControl", {{"args", control}, {"attributes", nlohmann::json::object()}}}}},
      {"total_flos", 0.0},
      {"train_batch_size", batch_size},
      {"trial_name", nullptr},
      {"trial_params", nullptr}};
  return state.dump(2) + "\n";
}

}  // namespace mdl::worker::training::checkpoint

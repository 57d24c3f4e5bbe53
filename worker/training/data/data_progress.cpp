#include "worker/training/data/data_progress.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training::data {

bool DataProgress::has_order_of(const DataProgress& other) const {
  return seed == other.seed && shape.rows == other.shape.rows && weights == other.weights &&
         (shape.batch_tokens > 0) == (other.shape.batch_tokens > 0);
}

std::string DataProgress::to_json() const {
  const nlohmann::ordered_json json = {{"epoch", position.epoch},
                                       {"rows_taken", position.rows_taken},
                                       {"rows", shape.rows},
                                       {"batch_size", shape.batch_size},
                                       {"world_size", shape.world_size},
                                       {"accumulation_steps", shape.accumulation_steps},
                                       {"batch_tokens", shape.batch_tokens},
                                       {"num_epochs", epochs},
                                       {"max_steps", max_steps.value_or(-1)},
                                       {"seed", seed},
                                       {"weights", weights},
                                       {"best_metric", metric},
                                       {"schedule_position", schedule_position},
                                       {"schedule_total", schedule_total},
                                       {"agents", agents}};
  return json.dump(2) + "\n";
}

DataProgress parse_data_progress(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    DataProgress progress;
    json.at("epoch").get_to(progress.position.epoch);
    json.at("rows_taken").get_to(progress.position.rows_taken);
    json.at("rows").get_to(progress.shape.rows);
    json.at("batch_size").get_to(progress.shape.batch_size);
    json.at("world_size").get_to(progress.shape.world_size);
    json.at("accumulation_steps").get_to(progress.shape.accumulation_steps);
    progress.shape.batch_tokens = json.value("batch_tokens", int64_t{0});  // younger than version 0.1, too
    json.at("num_epochs").get_to(progress.epochs);
    const auto max_steps = json.value("max_steps", int64_t{-1});  // not in those of version 0.1
    if (max_steps > 0) { progress.max_steps = max_steps; }
    json.at("seed").get_to(progress.seed);
    progress.weights = json.value("weights", progress.weights);
    progress.metric = json.value("best_metric", progress.metric);
    json.at("schedule_position").get_to(progress.schedule_position);
    json.at("schedule_total").get_to(progress.schedule_total);
    json.at("agents").get_to(progress.agents);
    return progress;
  } catch (const nlohmann::json::exception& error) {
    throw Error(str_cat(kDataProgressFile, " of the checkpoint makes no sense: ", error.what()));
  }
}

}  // namespace mdl::worker::training::data

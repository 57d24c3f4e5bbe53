#include "worker/training/train_datasets.hpp"

#include <algorithm>

#include "common/command/weighted_path.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/row_format.hpp"

namespace mdl::worker::training {

bool TrainDatasets::has_row_file() const {
  return std::ranges::any_of(paths, [](const auto& path) { return dataset::is_row_file(path); });
}

std::string TrainDatasets::describe() const {
  std::string text;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    text += str_cat(i == 0 ? "" : ", ", paths[i].string());
    if (!weights.empty()) { text += str_cat(":", weights[i]); }
  }
  return text;
}

TrainDatasets read_train_datasets(const cli::OptionValues& values) {
  constexpr const char* kOption = "train-dataset";
  TrainDatasets datasets;
  for (const std::string& text : values.each(kOption)) {
    const command::WeightedPath named = command::split_weight(text);
    if (named.path.empty()) { cli::reject_value(kOption, text, "a path"); }
    if (named.weight && *named.weight <= 0) { cli::reject_value(kOption, text, "a weight above 0"); }
    datasets.paths.emplace_back(named.path);
    if (named.weight) { datasets.weights.push_back(*named.weight); }
  }
  if (!datasets.weights.empty() && datasets.weights.size() != datasets.paths.size()) {
    throw cli::RejectedValue(kOption, "--train-dataset: some datasets have a weight and some have none",
                             "Give each one a weight (DATA:WEIGHT), or none.");
  }
  return datasets;
}

}  // namespace mdl::worker::training

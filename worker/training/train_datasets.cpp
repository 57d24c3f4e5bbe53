#include "worker/training/train_datasets.hpp"

#include <algorithm>

#include "common/command/weighted_path.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/row_format.hpp"

namespace mdl::worker::training {

bool TrainDatasets::has_row_file() const {
  return std::ranges::any_of(paths, [](const auto& path) { return dataset::is_row_file(path); });
}

std::string TrainDatasets::shares() const {
  double largest = 0, sum = 0;
  for (const double weight : weights) { largest = std::max(largest, weight); }
  for (const double weight : weights) { sum += weight / largest; }  // their own sum may be too large for a number
  std::string text;
  for (const double weight : weights) { text += str_cat(text.empty() ? "" : ", ", weight / largest / sum); }
  return text.empty() ? "none" : text;
}

TrainDatasets read_train_datasets(const cli::OptionValues& values) {
  constexpr const char* kOption = "train-dataset";
  TrainDatasets datasets;
  std::string plain;  // the last one without a weight
  for (const std::string& text : values.each(kOption)) {
    const command::WeightedPath named = command::split_weight(text);
    if (named.path.empty()) { cli::reject_value(kOption, text, "a path"); }
    if (named.weight && *named.weight <= 0) { cli::reject_value(kOption, text, "a weight above 0"); }
    datasets.paths.emplace_back(named.path);
    if (named.weight) { datasets.weights.push_back(*named.weight); }
    if (!named.weight) { plain = named.path; }
  }
  if (!datasets.weights.empty() && datasets.weights.size() != datasets.paths.size()) {
    throw cli::RejectedValue(kOption, str_cat("--train-dataset ", plain, " has no weight, and others have one"),
                             "Give each one a weight, a number (DATA:WEIGHT), or none.");
  }
  return datasets;
}

}  // namespace mdl::worker::training

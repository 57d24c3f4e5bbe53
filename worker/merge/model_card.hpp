#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mdl::worker::merge {

/// What a model card says.
struct CardFacts {
  std::string base_model;         ///< its name at a hub, or its folder
  std::string adapter;            ///< folder
  std::string lora;               ///< adapter::describe()
  std::string dtype;              ///< of the weights: "bfloat16"
  bool moved_statistics = false;  ///< the running statistics beside the adapter are in it

  // Of the training, where its files are beside the adapter.
  std::vector<std::pair<std::string, std::string>> settings{};  ///< "--lr": "0.0001", data among them
  std::vector<std::pair<std::string, std::string>> metrics{};   ///< "last eval_loss": "2.31 (step 500)"
  std::optional<std::string> trained_for{};                     ///< "500 steps, 2 epochs"
  std::vector<std::pair<std::string, std::string>> versions{};  ///< "mdl-toolkit": "0.2.0"
};

/// The README.md of a merged model: YAML front matter as Hugging Face's hub reads it, then text.
std::string model_card(const CardFacts& facts);

}  // namespace mdl::worker::merge

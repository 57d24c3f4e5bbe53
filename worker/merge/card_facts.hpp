#pragma once

#include <string>

#include "worker/adapter/adapter_folder.hpp"
#include "worker/merge/model_card.hpp"

namespace mdl::worker::merge {

/// What is known of an adapter of that base model: its own configuration, and what train and the Trainer leave in its
/// folder, or in the newest checkpoint beside it. Files that make no sense are passed over: a card is no place to fail.
CardFacts card_facts(const std::string& base_model, const adapter::AdapterFolder& adapter, const std::string& dtype);

}  // namespace mdl::worker::merge

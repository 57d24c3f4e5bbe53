#pragma once

#include <string>

#include "worker/merge/model_card.hpp"
#include "worker/model_choice.hpp"

namespace mdl::worker {

/// What is known of an adapter: its own configuration, and what train and the Trainer leave in its folder, or in the
/// newest checkpoint beside it. Files that make no sense are passed over: a card is no place to fail.
merge::CardFacts card_facts(const ModelChoice& choice, const std::string& dtype);

}  // namespace mdl::worker

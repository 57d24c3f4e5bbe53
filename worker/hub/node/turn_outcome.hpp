#pragma once

#include <optional>
#include <string>

#include "common/error.hpp"

namespace mdl::worker::hub::node {

/// What the process that did the work tells those that waited for it: a line of JSON.
std::string outcome_text(const std::optional<Error>& failure);

/// What it told; nothing where the text is none, because it ended within a word.
struct TurnOutcome {
  std::optional<Error> failure;
};
std::optional<TurnOutcome> parse_outcome(const std::string& text);

}  // namespace mdl::worker::hub::node

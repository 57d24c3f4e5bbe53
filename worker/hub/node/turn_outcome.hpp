#pragma once

#include <optional>
#include <string>
#include <variant>

#include "common/error.hpp"

namespace mdl::worker::hub::node {

/// What came of the work: its answer, or the error that ended it.
using TurnOutcome = std::variant<std::string, Error>;

/// What the process that did the work tells those that waited for it: a line of JSON.
std::string outcome_text(const TurnOutcome& outcome);

/// What it told; nothing where the text is none, because it ended within a word.
std::optional<TurnOutcome> parse_outcome(const std::string& text);

}  // namespace mdl::worker::hub::node

#include "worker/hub/node/turn_outcome.hpp"

#include <nlohmann/json.hpp>

#include "common/json_nesting.hpp"

namespace mdl::worker::hub::node {

using nlohmann::json;

std::string outcome_text(const std::optional<Error>& failure) {
  json outcome = json::object();
  if (failure) {
    outcome = {{"problem", failure->problem()}, {"advice", failure->advice()}, {"exit_code", failure->exit_code()}};
  }
  return outcome.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<TurnOutcome> parse_outcome(const std::string& text) {
  if (!text.ends_with('\n') || json_nesting(text) > kMaxJsonNesting) { return std::nullopt; }
  const json outcome = json::parse(text, nullptr, false);
  if (!outcome.is_object()) { return std::nullopt; }
  if (outcome.empty()) { return TurnOutcome{}; }
  const auto problem = outcome.find("problem");
  const auto advice = outcome.find("advice");
  const auto code = outcome.find("exit_code");
  const bool whole = problem != outcome.end() && problem->is_string() && advice != outcome.end() &&
                     advice->is_string() && code != outcome.end() && code->is_number_integer();
  if (!whole) { return std::nullopt; }
  return TurnOutcome{Error(problem->get<std::string>(), advice->get<std::string>(),
                           code->get<std::int64_t>() == kExitUsage ? kExitUsage : kExitFailure)};
}

}  // namespace mdl::worker::hub::node

#include "worker/hub/node/turn_outcome.hpp"

#include <nlohmann/json.hpp>

#include "common/json_nesting.hpp"

namespace mdl::worker::hub::node {

using nlohmann::json;

std::string outcome_text(const TurnOutcome& outcome) {
  json told = json::object();
  if (const auto* const answer = std::get_if<std::string>(&outcome)) {
    told = {{"answer", *answer}};
  } else {
    const Error& failure = std::get<Error>(outcome);
    told = {{"problem", failure.problem()}, {"advice", failure.advice()}, {"exit_code", failure.exit_code()}};
  }
  return told.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<TurnOutcome> parse_outcome(const std::string& text) {
  if (!text.ends_with('\n') || json_nesting(text) > kMaxJsonNesting) { return std::nullopt; }
  const json outcome = json::parse(text, nullptr, false);
  if (!outcome.is_object()) { return std::nullopt; }
  const auto answer = outcome.find("answer");
  if (answer != outcome.end() && answer->is_string()) { return answer->get<std::string>(); }
  const auto problem = outcome.find("problem");
  const auto advice = outcome.find("advice");
  const auto code = outcome.find("exit_code");
  const bool whole = problem != outcome.end() && problem->is_string() && advice != outcome.end() &&
                     advice->is_string() && code != outcome.end() && code->is_number_integer();
  if (!whole) { return std::nullopt; }
  return Error(problem->get<std::string>(), advice->get<std::string>(),
               code->get<std::int64_t>() == kExitUsage ? kExitUsage : kExitFailure);
}

}  // namespace mdl::worker::hub::node

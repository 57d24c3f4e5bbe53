#include "launcher/command_line/option_value.hpp"

#include <algorithm>
#include <optional>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::command_line {
namespace {

constexpr double kMostSeconds = 1e9;

[[noreturn]] void refuse(const OptionValue& value, const std::string& expected, const std::string& advice = {}) {
  throw UsageError(str_cat(value.source, " must be ", expected, ", but is \"", value.text, "\""),
                   advice.empty() ? value.command + " --help lists the options." : advice);
}

std::optional<int> int_in(std::string_view text, int least, int most) {
  const auto number = parse_whole_number(text);
  if (!number || *number < least || *number > most) { return std::nullopt; }
  return static_cast<int>(*number);
}

}  // namespace

int to_int(const OptionValue& value, int least, int most) {
  if (const auto number = int_in(value.text, least, most)) { return *number; }
  const bool too_large = parse_whole_number(value.text).value_or(least) > most;
  refuse(value, str_cat("a whole number, at ", too_large ? "most " : "least ", too_large ? most : least));
}

double to_seconds(const OptionValue& value) {
  const auto number = parse_real_number(value.text);
  if (number && *number >= 0 && *number < kMostSeconds) { return *number; }
  refuse(value, "a number of seconds, 0 or more");
}

double to_positive_seconds(const OptionValue& value) {
  const auto number = parse_real_number(value.text);
  if (number && *number > 0 && *number < kMostSeconds) { return *number; }
  refuse(value, "a number of seconds above 0");
}

NodeRange to_node_range(const OptionValue& value) {
  constexpr int kMost = std::numeric_limits<int>::max();
  const std::size_t colon = value.text.find(':');
  const auto min = int_in(value.text.substr(0, colon), 1, kMost);
  const auto max = colon == std::string::npos ? min : int_in(value.text.substr(colon + 1), 1, kMost);
  if (!min || !max) {
    refuse(value, "a number of nodes N, or MIN:MAX, each at least 1", "As in --nnodes 2, or --nnodes 1:4.");
  }
  if (*max < *min) {
    throw UsageError(str_cat(value.source, " ", value.text, " has a minimum above its maximum"),
                     "Write it as MIN:MAX.");
  }
  return {*min, *max};
}

int to_port_number(const OptionValue& value) {
  if (const auto port = int_in(value.text, 0, 65535)) { return *port; }
  refuse(value, "a port from 1 to 65535", str_cat("Leave it out for the default, ", kStaticPort, "."));
}

Endpoint to_served_endpoint(const OptionValue& value) {
  constexpr const char* kExpected = "a port, or a host of this machine and a port, HOST:PORT";
  constexpr const char* kAdvice =
      "As in 9400, which this machine alone can reach, or 0.0.0.0:9400, which others can as well.";
  if (const auto port = int_in(value.text, 0, 65535)) { return {"localhost", static_cast<std::uint16_t>(*port)}; }
  try {
    const Endpoint endpoint = parse_endpoint(value.text, 0);
    const bool has_port = endpoint.port != 0 || parse_endpoint(value.text, 1).port == 0;
    if (has_port && !parse_whole_number(value.text)) { return endpoint; }
  } catch (const UsageError&) {
    // In the words of the option instead.
  }
  refuse(value, kExpected, kAdvice);
}

StreamChoice to_stream_choice(const OptionValue& value) {
  if (const auto choice = parse_stream_choice(value.text)) { return *choice; }
  refuse(value, "0, 1, 2 or 3, or such a number for local ranks as in 0:3,1:2",
         "1 stands for stdout, 2 for stderr, 3 for both.");
}

std::set<int> to_ranks(const OptionValue& value) {
  std::set<int> ranks;
  for (const std::string& word : parse_filters(value.text)) {
    const auto rank = int_in(word, 0, std::numeric_limits<int>::max());
    if (!rank) { refuse(value, "local ranks with commas between them, as in 0,2"); }
    ranks.insert(*rank);
  }
  return ranks;
}

bool to_flag(const OptionValue& value) {
  const auto number = parse_whole_number(value.text);
  if (!number) { refuse(value, "0 or 1", "0 is off. Unset it to leave the option out."); }
  return *number != 0;
}

void check_choice(const OptionValue& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) { return; }
  throw UsageError(str_cat(value.source, " does not know \"", value.text, "\""), advice_for(value.text, choices));
}

}  // namespace mdl::launcher::command_line

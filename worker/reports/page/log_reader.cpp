#include "worker/reports/page/log_reader.hpp"

#include <cmath>
#include <limits>
#include <string_view>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/reports/page/python_json.hpp"

namespace mdl::worker::reports::page {
namespace {

using nlohmann::json;

constexpr std::size_t kMostMetrics = 256, kLongestName = 200;
constexpr std::int64_t kLastStep = std::int64_t{1} << 53;  // as far as a double counts

/// A number, or one of the words that with_quoted_nonfinite() makes.
std::optional<double> number_in(const json& value) {
  if (value.is_number()) { return value.get<double>(); }
  if (!value.is_string()) { return std::nullopt; }
  const auto& word = value.get_ref<const std::string&>();
  if (word == "NaN") { return std::numeric_limits<double>::quiet_NaN(); }
  if (word == "Infinity") { return std::numeric_limits<double>::infinity(); }
  if (word == "-Infinity") { return -std::numeric_limits<double>::infinity(); }
  return std::nullopt;
}

/// A step may be written as 10.0.
std::int64_t step_in(const json& entry, const std::string& place) {
  const auto found = entry.find("step");
  const auto number = found == entry.end() ? std::nullopt : number_in(*found);
  if (!number || *number != std::floor(*number) || *number < 0 || *number > static_cast<double>(kLastStep)) {
    throw UsageError(str_cat(place, found == entry.end() ? " has no \"step\"" : ": \"step\" is no whole number from 0"),
                     "A Trainer's log has it in every entry.");
  }
  return static_cast<std::int64_t>(*number);
}

std::int64_t whole_number(const json& object, const char* key) {
  const auto found = object.find(key);
  const auto number = found == object.end() ? std::nullopt : number_in(*found);
  return number && *number >= 0 && *number <= static_cast<double>(kLastStep) ? static_cast<std::int64_t>(*number) : 0;
}

/// Of trainer_state.json, which has the value and the step but not the name.
std::optional<Best> told_best(const RunHistory& history, const json& state) {
  const auto found = state.find("best_metric");
  const auto value = found == state.end() ? std::nullopt : number_in(*found);
  const std::int64_t step = whole_number(state, "best_global_step");
  if (!value) { return std::nullopt; }
  for (const auto& [name, points] : history.metrics) {
    if (!name.starts_with("eval_")) { continue; }
    for (const Point& point : points) {
      if (point.value == *value && (step == 0 || point.step == step)) { return Best{name, point}; }
    }
  }
  return std::nullopt;
}

json parse_bounded(const std::string& text, const std::filesystem::path& place) {
  if (json_nesting(text) > kMaxJsonNesting) {
    throw UsageError(str_cat(place.string(), " is nested more than ", kMaxJsonNesting, " levels deep"));
  }
  return formats::parse_json(with_quoted_nonfinite(text), place);
}

}  // namespace

void add_log_entry(RunHistory& history, const json& entry, const std::string& place) {
  if (!entry.is_object()) { throw UsageError(str_cat(place, " is no object")); }
  const std::int64_t step = step_in(entry, place);
  if (step < history.last_step) { history.cut_back(step > 0 ? step - 1 : 0); }
  history.last_step = step;
  for (const auto& [name, value] : entry.items()) {
    const auto number = number_in(value);
    if (name == "step" || !number) { continue; }
    if (name.size() > kLongestName) { throw UsageError(str_cat(place, ": a name has ", name.size(), " bytes")); }
    history.add(name, step, *number);
  }
  if (history.metrics.size() > kMostMetrics) {
    throw UsageError(str_cat(place, ": more than ", kMostMetrics, " different names have been logged"));
  }
}

RunHistory read_trainer_state(const std::string& text, const std::filesystem::path& file) {
  const json state = parse_bounded(text, file);
  const auto log = state.find("log_history");
  if (!state.is_object() || log == state.end() || !log->is_array()) {
    throw UsageError(str_cat(file.string(), " has no list \"log_history\""),
                     "A Trainer's trainer_state.json has one; other logs have an entry a line and end in .jsonl.");
  }
  RunHistory history;
  std::size_t number = 0;
  for (const json& entry : *log) {
    add_log_entry(history, entry, str_cat(file.string(), ": log_history[", number++, "]"));
  }
  history.total_steps = whole_number(state, "max_steps");
  history.told_best = told_best(history, state);
  return history;
}

RunHistory read_log_lines(const std::string& text, const std::filesystem::path& file) {
  RunHistory history;
  const std::string_view all = text;
  std::size_t number = 0;
  for (std::size_t at = 0; at < all.size();) {
    ++number;
    const std::size_t end = std::min(all.find('\n', at), all.size());
    const std::string line(all.substr(at, end - at));
    const bool whole = end < all.size();
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) { continue; }
    if (!whole && !json::accept(with_quoted_nonfinite(line))) { break; }
    const std::string place = str_cat(file.string(), ":", number);
    add_log_entry(history, parse_bounded(line, place), place);
  }
  return history;
}

}  // namespace mdl::worker::reports::page

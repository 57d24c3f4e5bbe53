#include "launcher/progress/progress_message.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "launcher/output/printable.hpp"

namespace mdl::launcher::progress {
namespace {
using nlohmann::json;

constexpr std::int64_t kLargestMessageCount = std::int64_t{1} << 53;  // what JSON's readers keep exact
constexpr double kMostSeconds = 1e9;                                  // 30 years

std::optional<std::int64_t> count_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) { return std::nullopt; }
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestMessageCount)) {
    return std::nullopt;
  }
  const auto count = found->get<std::int64_t>();
  return count < 0 ? std::nullopt : std::optional(count);
}

std::optional<double> seconds_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) { return std::nullopt; }
  const double seconds = found->get<double>();
  return seconds >= 0 && seconds <= kMostSeconds ? std::optional(seconds) : std::nullopt;
}

/// Also of those that are no numbers.
std::optional<double> value_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) { return std::nullopt; }
  if (found->is_number()) { return found->get<double>(); }
  if (!found->is_string()) { return std::nullopt; }
  const auto& word = found->get_ref<const std::string&>();
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  if (word == "NaN") { return std::numeric_limits<double>::quiet_NaN(); }
  if (word == "Infinity") { return kEndless; }
  return word == "-Infinity" ? std::optional(-kEndless) : std::nullopt;
}

std::optional<std::string> section_at(const json& object) {
  const auto found = object.find("section");
  if (found == object.end()) { return std::nullopt; }
  if (found->is_null()) { return std::string(); }
  if (!found->is_string()) { return std::nullopt; }
  return output::printable(found->get_ref<const std::string&>(), kLongestSection);
}

/// Python writes numbers that JSON does not have as words: puts these in quotes, outside of strings.
std::string with_words_quoted(std::string_view text) {
  std::string quoted;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t size = 1;
    bool is_word = false;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (in_string || !text.substr(i).starts_with(word)) { continue; }
      size = word.size();
      is_word = true;
    }
    if (in_string && text[i] == '\\') { size = 2; }
    if (text[i] == '"') { in_string = !in_string; }
    const std::string_view part = text.substr(i, size);
    quoted.append(is_word ? "\"" : "").append(part).append(is_word ? "\"" : "");
    i += size;
  }
  return quoted;
}

}  // namespace

std::optional<ProgressMessage> parse_progress_message(std::string_view text) {
  if (text.size() > kLargestProgressMessage) { return std::nullopt; }
  json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) { object = json::parse(with_words_quoted(text), nullptr, false); }
  if (!object.is_object()) { return std::nullopt; }
  ProgressMessage message;
  message.step = count_at(object, "step");
  message.total = count_at(object, "total");
  message.loss = value_at(object, "loss");
  message.samples = count_at(object, "samples");
  message.own = seconds_at(object, "own");
  message.waiting = seconds_at(object, "waiting");
  message.section = section_at(object);
  message.section_seconds = seconds_at(object, "section_seconds");
  message.eval_loss = value_at(object, "eval_loss");
  message.learning_rate = value_at(object, "learning_rate");
  message.grad_norm = value_at(object, "grad_norm");
  return message;
}

}  // namespace mdl::launcher::progress

#include "launcher/watchdog/timer_request.hpp"

#include <signal.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace mdl::launcher::watchdog {
namespace {
using nlohmann::json;

/// As a number of 0 to `most`, where it is one.
std::optional<std::int64_t> whole_number(const json& object, const char* key, std::int64_t most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) { return std::nullopt; }
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

/// Python writes a time that never comes as a word that JSON does not have.
std::string without_infinity(std::string_view line) {
  constexpr std::string_view kWord = ": Infinity";
  std::string text(line);
  const std::size_t at = text.rfind(kWord);
  if (at != std::string::npos) { text.replace(at, kWord.size(), ": \"Infinity\""); }
  return text;
}

std::optional<double> time_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) { return std::nullopt; }
  if (found->is_string() && found->get_ref<const std::string&>() == "Infinity") {
    return std::numeric_limits<double>::infinity();
  }
  if (!found->is_number()) { return std::nullopt; }
  const double time = found->get<double>();
  return std::isnan(time) ? std::nullopt : std::optional<double>(time);
}

}  // namespace

std::optional<TimerRequest> parse_timer_request(std::string_view line) {
  json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) { object = json::parse(without_infinity(line), nullptr, false); }
  if (!object.is_object()) { return std::nullopt; }
  const auto pid = whole_number(object, "pid", std::numeric_limits<pid_t>::max());
  const auto scope = object.find("scope_id");
  const auto time = time_at(object, "expiration_time");
  const auto signal = whole_number(object, "signal", SIGRTMAX);
  if (!pid || *pid < 1 || scope == object.end() || !scope->is_string() || !time || !signal) { return std::nullopt; }
  return TimerRequest{*pid, scope->get<std::string>(), *time, static_cast<int>(std::max<std::int64_t>(0, *signal))};
}

}  // namespace mdl::launcher::watchdog

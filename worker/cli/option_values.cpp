#include "worker/cli/option_values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/nearest_name.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::cli {
namespace {

double read_number(const std::string& name, const std::string& value) {
  const auto number = parse_real_number(value);
  if (!number) { reject_value(name, value, "a number"); }
  return *number;
}

}  // namespace

void reject_value(const std::string& option, const std::string& value, const std::string& expected) {
  throw RejectedValue(option, str_cat("--", option, " ", value.empty() ? "\"\"" : value, ": expected ", expected));
}

void reject_choice(const std::string& option, const std::string& value, const std::vector<std::string>& choices) {
  const std::string others = joined(std::span(choices).first(choices.size() - 1));
  const auto nearest = nearest_name(value, choices);
  throw RejectedValue(
      option, str_cat("--", option, " ", value.empty() ? "\"\"" : value, ": expected ", others, " or ", choices.back()),
      nearest ? str_cat("Did you mean ", *nearest, "?") : "");
}

void reject_boolean(const std::string& option, const std::string& value) {
  const std::vector<std::string> choices = {"true", "false"};
  if (value.empty() || nearest_name(value, choices)) { reject_choice(option, value, choices); }
  throw RejectedValue(option, str_cat("--", option, " needs true or false, but ", value, " follows it"),
                      str_cat("Write --", option, " true or --", option, " false."));
}

std::optional<std::string> OptionValues::text(const std::string& name) const {
  if (!given_.has(name) || given_.values(name).empty()) { return std::nullopt; }  // an empty list says nothing
  return given_.values(name).back();
}

std::optional<std::string> OptionValues::text_or_none(const std::string& name) const {
  const auto value = text(name);
  return value && value->empty() ? std::nullopt : value;
}

std::optional<std::string> OptionValues::choice(const std::string& name,
                                                const std::vector<std::string>& choices) const {
  auto value = text(name);
  if (value && std::ranges::find(choices, *value) == choices.end()) { reject_choice(name, *value, choices); }
  return value;
}

namespace {

std::string without_blanks_around(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

}  // namespace

std::optional<std::vector<std::string>> OptionValues::list(const std::string& name) const {
  if (!given_.has(name)) { return std::nullopt; }
  std::vector<std::string> items;
  for (const std::string& value : given_.values(name)) {
    if (!value.empty() && value.front() == '[') {
      try {
        for (const auto& item : nlohmann::json::parse(value)) { items.push_back(item.get<std::string>()); }
      } catch (const nlohmann::json::exception&) {
        reject_value(name, value, "a JSON list of texts, for example [\"a\",\"b\"]");
      }
    } else {
      std::istringstream in(value);
      for (std::string item; std::getline(in, item, ',');) { items.push_back(without_blanks_around(item)); }
    }
  }
  return items;
}

std::vector<std::string> OptionValues::each(const std::string& name) const {
  return given_.has(name) ? given_.values(name) : std::vector<std::string>();
}

std::filesystem::path OptionValues::required_path(const std::string& name) const {
  const auto value = text(name);
  if (!value && given_.prints_config()) { return {}; }
  if (!value) {
    throw UsageError(str_cat("--", name, " is required"), str_cat("Try: mdl-toolkit ", command_, " --help"));
  }
  if (value->empty()) { reject_value(name, *value, "a path"); }
  return *value;
}

std::optional<int64_t> OptionValues::read_integer(const std::string& name, int64_t least) const {
  const auto value = text(name);
  if (!value) { return std::nullopt; }
  const auto number = parse_whole_number(*value);
  if (!number || *number < least) { reject_value(name, *value, str_cat("a whole number from ", least)); }
  return number;
}

void OptionValues::number(const std::string& name, double above, double& target) const {
  const auto value = text(name);
  if (!value) { return; }
  target = read_number(name, *value);
  if (target <= above) { reject_value(name, *value, str_cat("a number above ", above)); }
}

void OptionValues::number_from(const std::string& name, double least, double& target) const {
  const auto value = text(name);
  if (!value) { return; }
  target = read_number(name, *value);
  if (target < least) { reject_value(name, *value, str_cat("a number from ", least)); }
}

void OptionValues::bytes(const std::string& name, std::int64_t& target) const {
  const auto value = text(name);
  if (!value) { return; }
  const std::size_t digits = std::min(value->find_first_not_of("0123456789"), value->size());
  const std::string unit = value->substr(digits);
  static const std::map<std::string, std::int64_t> kFactors = {
      {"", 1},
      {"KB", 1'000},
      {"MB", 1'000'000},
      {"GB", 1'000'000'000},
      {"KiB", std::int64_t{1} << 10},
      {"MiB", std::int64_t{1} << 20},
      {"GiB", std::int64_t{1} << 30},
  };
  const auto factor = kFactors.find(unit);
  const auto number = parse_digits<std::int64_t>(std::string_view(*value).substr(0, digits));
  if (!number || *number == 0 || factor == kFactors.end() ||
      *number > std::numeric_limits<std::int64_t>::max() / factor->second) {
    reject_value(name, *value, "a size, for example 500MB");
  }
  target = *number * factor->second;
}

void OptionValues::interval(const std::string& name, bool may_be_zero, StepInterval& target) const {
  const auto value = text(name);
  if (!value) { return; }
  target.value = read_number(name, *value);
  const bool whole = target.value == std::floor(target.value);
  if (target.value < 0 || (target.value == 0 && !may_be_zero) || (target.value >= 1 && !whole)) {
    reject_value(name, *value, "a whole number of steps, or a fraction of all steps below 1");
  }
}

std::optional<bool> read_boolean(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* yes : {"true", "1", "yes", "on", "t", "y"}) {
    if (lower == yes) { return true; }
  }
  for (const char* no : {"false", "0", "no", "off", "f", "n"}) {
    if (lower == no) { return false; }
  }
  return std::nullopt;
}

std::optional<bool> OptionValues::boolean(const std::string& name) const {
  const auto value = text(name);
  if (!value) { return std::nullopt; }
  const auto flag = read_boolean(*value);
  if (!flag) { reject_boolean(name, *value); }
  return flag;
}

std::optional<bool> OptionValues::boolean_or_auto(const std::string& name) const {
  const auto value = text(name);
  if (!value || *value == "auto") { return std::nullopt; }
  const auto flag = read_boolean(*value);
  if (!flag) { reject_choice(name, *value, {"true", "false", "auto"}); }
  return flag;
}

}  // namespace mdl::worker::cli

#include "worker/training/checkpoint/run_identity.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

using nlohmann::ordered_json;

constexpr const char* kDropout = "--lora-dropout";

ordered_json to_object(const Settings& settings) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : settings) { object[name] = value; }
  return object;
}

Settings to_settings(const ordered_json& object) {
  Settings settings;
  for (const auto& [name, value] : object.items()) { settings.emplace_back(name, value.get<std::string>()); }
  return settings;
}

const std::string* find(const Settings& settings, const std::string& name) {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const auto& item) { return item.first == name; });
  return found == settings.end() ? nullptr : &found->second;
}

}  // namespace

std::string setting_text(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  return whole ? str_cat(static_cast<std::int64_t>(value)) : nlohmann::json(value).dump();
}

Settings AdapterIdentity::settings() const {
  std::string ranks, alphas, modules;
  for (const auto& [pattern, value] : rank_pattern) {
    ranks += str_cat(ranks.empty() ? "" : ", ", pattern, ": ", value);
  }
  for (const auto& [pattern, value] : alpha_pattern) {
    alphas += str_cat(alphas.empty() ? "" : ", ", pattern, ": ", setting_text(value));
  }
  for (const std::string& module : whole) { modules += (modules.empty() ? "" : ", ") + module; }
  const auto or_none = [](const std::string& text) { return text.empty() ? std::string("none") : text; };
  return {{"--lora-rank", str_cat(rank)},           {"--lora-alpha", setting_text(alpha)},
          {kDropout, setting_text(dropout)},        {"rank-stabilized scaling", rank_stabilized ? "true" : "false"},
          {"ranks by pattern", or_none(ranks)},     {"alphas by pattern", or_none(alphas)},
          {"what gets adapters", or_none(targets)}, {"modules trained whole", or_none(modules)}};
}

bool AdapterIdentity::binds(const std::string& setting) {
  return setting != kDropout && find(AdapterIdentity().settings(), setting);
}

std::string RunIdentity::to_json() const {
  const ordered_json json = {
      {"run", run}, {"begun", begun}, {"identity", to_object(fixed)}, {"options", to_object(changeable)}};
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void set_learning_rate(RunIdentity& identity, double rate) {
  for (auto& [name, value] : identity.fixed) {
    if (name == kLearningRateSetting) { value = setting_text(rate); }
  }
}

void take_learning_rate(RunIdentity& identity, const RunIdentity& from) {
  const std::string* rate = find(from.fixed, kLearningRateSetting);
  for (auto& [name, value] : identity.fixed) {
    if (rate && name == kLearningRateSetting) { value = *rate; }
  }
}

RunIdentity parse_run_identity(const std::string& text) {
  try {
    const auto json = ordered_json::parse(text);
    return {.fixed = to_settings(json.at("identity")),
            .changeable = to_settings(json.at("options")),
            .run = json.at("run").get<std::string>(),
            .begun = json.at("begun").get<std::int64_t>()};
  } catch (const nlohmann::json::exception& error) {
    throw Error(str_cat(kRunIdentityFile, " of the checkpoint makes no sense: ", error.what()));
  }
}

RunComparison compare_runs(const RunIdentity& then, const RunIdentity& now) {
  RunComparison comparison;
  for (const auto& [name, value] : now.fixed) {
    const std::string* before = find(then.fixed, name);
    if (!before) {
      comparison.unknown.push_back(name);
    } else if (*before != value) {
      comparison.differences.push_back(str_cat(name, " is ", *before, " there and ", value, " here"));
      comparison.other_adapters = comparison.other_adapters || AdapterIdentity::binds(name);
    }
  }
  for (const auto& [name, value] : now.changeable) {
    const std::string* before = find(then.changeable, name);
    if (before && *before != value) { comparison.changes.push_back(str_cat(name, " ", value, " (was ", *before, ")")); }
  }
  return comparison;
}

}  // namespace mdl::worker::training::checkpoint

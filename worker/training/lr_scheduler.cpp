#include "worker/training/lr_scheduler.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>

#include "common/join.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/option_values.hpp"

namespace mdl::worker::training {
namespace {

using nlohmann::ordered_json;

constexpr const char* kTypeOption = "lr-scheduler-type";
constexpr const char* kKwargsOption = "lr-scheduler-kwargs";
constexpr int64_t kTimescaleWithoutWarmup = 10'000;

/// The kwargs that a type may be told.
std::vector<std::string> kwargs_of(SchedulerType type) {
  switch (type) {
    case SchedulerType::cosine:
      return {"num_cycles"};
    case SchedulerType::cosine_with_min_lr:
      return {"min_lr", "min_lr_rate", "num_cycles"};
    case SchedulerType::polynomial:
      return {"lr_end", "power"};
    case SchedulerType::inverse_sqrt:
      return {"timescale"};
    case SchedulerType::linear:
    case SchedulerType::constant:
    case SchedulerType::constant_with_warmup:
      break;
  }
  return {};
}

/// What differs from the defaults.
ordered_json told_kwargs(const LrScheduler& scheduler) {
  const LrScheduler usual;
  ordered_json told = ordered_json::object();
  if (scheduler.num_cycles != usual.num_cycles) { told["num_cycles"] = scheduler.num_cycles; }
  if (scheduler.min_lr) { told["min_lr"] = *scheduler.min_lr; }
  if (scheduler.min_lr_rate) { told["min_lr_rate"] = *scheduler.min_lr_rate; }
  if (scheduler.lr_end != usual.lr_end) { told["lr_end"] = scheduler.lr_end; }
  if (scheduler.power != usual.power) { told["power"] = scheduler.power; }
  if (scheduler.timescale) { told["timescale"] = *scheduler.timescale; }
  return told;
}

double cosine(double progress, double cycles, double least) {
  const double factor = 0.5 * (1.0 + std::cos(std::numbers::pi * cycles * 2.0 * progress));
  return std::max(0.0, factor * (1 - least) + least);
}

double polynomial(const LrScheduler& scheduler, double base, double step, double warmup, double total) {
  const double decay_steps = total - warmup;
  if (step > total || decay_steps <= 0) { return scheduler.lr_end / base; }
  const double left = 1 - (step - warmup) / decay_steps;
  return ((base - scheduler.lr_end) * std::pow(left, scheduler.power) + scheduler.lr_end) / base;
}

void require(bool holds, const std::string& kwargs, const std::string& expected) {
  if (!holds) { cli::reject_value(kKwargsOption, kwargs, expected); }
}

void take(LrScheduler& scheduler, const std::string& key, double value, const std::string& kwargs) {
  if (key == "timescale") {
    require(value >= 1 && value == std::floor(value) && value < 1e15, kwargs, "timescale to be a number of steps");
    scheduler.timescale = static_cast<int64_t>(value);
  } else if (key == "num_cycles") {
    require(value > 0, kwargs, "num_cycles to be above 0");
    scheduler.num_cycles = value;
  } else if (key == "power") {
    require(value > 0, kwargs, "power to be above 0");
    scheduler.power = value;
  } else {
    require(value >= 0, kwargs, key + " to be at least 0");
    if (key == "min_lr") { scheduler.min_lr = value; }
    if (key == "min_lr_rate") { scheduler.min_lr_rate = value; }
    if (key == "lr_end") { scheduler.lr_end = value; }
  }
}

void read_kwargs(LrScheduler& scheduler, const std::string& text) {
  const auto object = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) { cli::reject_value(kKwargsOption, text, "an object in JSON, for example {\"power\": 2}"); }
  const std::vector<std::string> known = kwargs_of(scheduler.type);
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) == known.end()) {
      throw cli::RejectedValue(
          kKwargsOption,
          str_cat("--", kKwargsOption, " ", text, ": ", scheduler_type_name(scheduler.type), " has no ", key),
          known.empty() ? "It takes none: leave the option out."
                        : str_cat(did_you_mean(key, known), "It has: ", joined(known), "."));
    }
    if (!value.is_number()) { cli::reject_value(kKwargsOption, text, key + " to be a number"); }
    take(scheduler, key, value.get<double>(), text);
  }
}

}  // namespace

const std::vector<std::string>& scheduler_type_names() {
  static const std::vector<std::string> names = {
      "linear", "cosine", "cosine_with_min_lr", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt"};
  return names;
}

const std::string& scheduler_type_name(SchedulerType type) {
  return scheduler_type_names()[static_cast<std::size_t>(type)];
}

double LrScheduler::rate(double base, double step, int64_t warmup_steps, double total_steps) const {
  const auto warmup = static_cast<double>(warmup_steps);
  if (type == SchedulerType::constant) { return base; }
  if (step < warmup) { return base * (step / std::max(1.0, warmup)); }
  const double progress = (step - warmup) / std::max(1.0, total_steps - warmup);
  switch (type) {
    case SchedulerType::linear:
      return base * std::max(0.0, (total_steps - step) / std::max(1.0, total_steps - warmup));
    case SchedulerType::cosine:
      return base * cosine(progress, num_cycles, 0);
    case SchedulerType::cosine_with_min_lr:
      return base * cosine(progress, num_cycles, min_lr && base > 0 ? *min_lr / base : min_lr_rate.value_or(0));
    case SchedulerType::polynomial:
      return base > 0 ? base * polynomial(*this, base, step, warmup, total_steps) : 0;
    case SchedulerType::inverse_sqrt: {
      const auto scale =
          static_cast<double>(timescale.value_or(warmup_steps > 0 ? warmup_steps : kTimescaleWithoutWarmup));
      return base / std::sqrt((step + scale - warmup) / scale);
    }
    case SchedulerType::constant:
    case SchedulerType::constant_with_warmup:
      break;
  }
  return base;
}

std::string LrScheduler::kwargs() const {
  const ordered_json told = told_kwargs(*this);
  return told.empty() ? "" : told.dump();
}

std::string LrScheduler::describe() const {
  std::string text = scheduler_type_name(type);
  const char* between = " with ";
  const ordered_json told = told_kwargs(*this);
  for (const auto& [key, value] : told.items()) {
    text += str_cat(between, key, " ", value.dump());
    between = ", ";
  }
  return text;
}

LrScheduler parse_lr_scheduler(const std::optional<std::string>& type, const std::optional<std::string>& kwargs,
                               double base) {
  LrScheduler scheduler;
  const auto& names = scheduler_type_names();
  if (type) {
    const auto found = std::ranges::find(names, *type);
    if (found == names.end()) { cli::reject_choice(kTypeOption, *type, names); }
    scheduler.type = static_cast<SchedulerType>(found - names.begin());
  }
  if (kwargs) { read_kwargs(scheduler, *kwargs); }
  if (scheduler.type == SchedulerType::cosine_with_min_lr &&
      scheduler.min_lr.has_value() == scheduler.min_lr_rate.has_value()) {
    throw cli::RejectedValue(kwargs ? kKwargsOption : kTypeOption,
                             "--lr-scheduler-type cosine_with_min_lr needs one of min_lr and min_lr_rate",
                             "For example: --lr-scheduler-kwargs '{\"min_lr_rate\": 0.1}'.");
  }
  if (scheduler.type == SchedulerType::polynomial && base > 0 && scheduler.lr_end >= base) {
    throw cli::RejectedValue(kKwargsOption,
                             str_cat("--lr ", base, " must be above polynomial's lr_end, which is ", scheduler.lr_end),
                             "--lr-scheduler-kwargs '{\"lr_end\": 0}' lets it fall to 0.");
  }
  return scheduler;
}

}  // namespace mdl::worker::training

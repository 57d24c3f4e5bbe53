#include "launcher/progress/node_summary.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "launcher/output/printable.hpp"
#include "launcher/progress/point_window.hpp"
#include "launcher/progress/progress_message.hpp"

namespace mdl::launcher::progress {
namespace {
using nlohmann::json;

// [1, round, group rank, written (ms), host, first rank, [rank, rank, …], [pid, pid, …], [more, more, …]]; what comes
// behind is of later programs, and the last two may not be there. A rank is an array of the fields below, without the
// nulls at its end; so is `more` of it, beside it as it would have many nulls before. Of pids, which mostly follow one
// another, the first one and then the differences; 0 is one that is not known.
constexpr int kSummaryVersion = 1;
constexpr std::size_t kLongestSummaryHost = 256;
constexpr std::size_t kLongestGpu = 128;
constexpr std::size_t kLargestSummary = 4 * 1024 * 1024;
constexpr std::int64_t kLargestSummaryCount = std::int64_t{1} << 53;
constexpr double kLargestReal = 1e15;
constexpr const char* kNaNWord = "NaN";
constexpr const char* kInfinityWord = "Infinity";
constexpr const char* kMinusInfinityWord = "-Infinity";

json short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  const double rounded = std::strtod(text, nullptr);
  const bool whole = std::abs(rounded) < 1e15 && rounded == std::floor(rounded);
  return whole ? json(static_cast<std::int64_t>(rounded)) : json(rounded);
}

json number_or_word(double value) {
  if (std::isnan(value)) { return kNaNWord; }
  if (std::isinf(value)) { return value > 0 ? kInfinityWord : kMinusInfinityWord; }
  return short_number(value);
}

/// Writes the fields one after the other.
class RankWriter {
 public:
  void count(std::optional<std::int64_t>& value) { add(value ? json(*value) : json()); }
  void real(std::optional<double>& value) { add(value ? number_or_word(*value) : json()); }
  void value(std::optional<double>& value) { real(value); }
  void text(std::string& value, std::size_t /*most*/) { add(value.empty() ? json() : json(value)); }
  void number(std::int64_t& value) { add(value > 0 ? json(value) : json()); }
  void flag(bool& value) { add(value ? json(1) : json()); }
  json take() {
    while (!array_.empty() && array_.back().is_null()) { array_.erase(array_.size() - 1); }
    return std::move(array_);
  }

 private:
  void add(json value) { array_.push_back(std::move(value)); }
  json array_ = json::array();
};

std::optional<std::int64_t> summary_count(const json& value) {
  if (!value.is_number_integer()) { return std::nullopt; }
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestSummaryCount)) {
    return std::nullopt;
  }
  const auto count = value.get<std::int64_t>();
  return count < 0 ? std::nullopt : std::optional(count);
}

/// Reads them again, in the same order; what is not as it must be is not known.
class RankReader {
 public:
  explicit RankReader(const json& array) : array_(array) {}
  void count(std::optional<std::int64_t>& value) { value = summary_count(next()); }
  void real(std::optional<double>& value) {
    const json& field = next();
    const double real = field.is_number() ? field.get<double>() : -1;
    if (real >= 0 && real <= kLargestReal) { value = real; }
  }
  void value(std::optional<double>& value) {
    const json& field = next();
    constexpr double kEndless = std::numeric_limits<double>::infinity();
    if (field.is_number()) { value = field.get<double>(); }
    if (field == kNaNWord) { value = std::numeric_limits<double>::quiet_NaN(); }
    if (field == kInfinityWord) { value = kEndless; }
    if (field == kMinusInfinityWord) { value = -kEndless; }
  }
  void text(std::string& value, std::size_t most) {
    const json& field = next();
    if (field.is_string()) { value = output::printable(field.get_ref<const std::string&>(), most); }
  }
  void number(std::int64_t& value) { value = summary_count(next()).value_or(0); }
  void flag(bool& value) { value = summary_count(next()).value_or(0) > 0; }

 private:
  const json& next() {
    static const json none;
    return at_ < array_.size() ? array_[at_++] : none;
  }
  const json& array_;
  std::size_t at_ = 0;
};

/// The fields of a rank, in their order.
template <typename Visitor>
void visit_fields(RankSummary& rank, Visitor& visitor) {
  visitor.count(rank.step);
  visitor.count(rank.total);
  visitor.value(rank.loss);
  visitor.count(rank.samples);
  visitor.real(rank.samples_per_s);
  visitor.real(rank.steps_per_s);
  visitor.real(rank.own);
  visitor.real(rank.waiting);
  visitor.real(rank.age);
  visitor.real(rank.step_age);
  visitor.real(rank.longest_step);
  visitor.number(rank.dropped);
  visitor.number(rank.wrong);
  visitor.text(rank.section, kLongestSection);
  visitor.real(rank.section_seconds);
  visitor.real(rank.section_age);
  visitor.real(rank.section_left_age);
  visitor.flag(rank.ended);
  visitor.value(rank.eval_loss);
  visitor.count(rank.eval_step);
  visitor.value(rank.learning_rate);
  visitor.value(rank.grad_norm);
  visitor.text(rank.gpu, kLongestGpu);
}

/// More of a rank that trains.
template <typename Visitor>
void visit_more(RankSummary& rank, Visitor& visitor) {
  visitor.flag(rank.made_step);
  visitor.real(rank.own_lately);
  visitor.count(rank.own_step);
}

/// Null where nothing is known of any.
json more_to_json(const std::vector<RankSummary>& ranks) {
  json all = json::array();
  bool known = false;
  for (RankSummary rank : ranks) {
    RankWriter writer;
    visit_more(rank, writer);
    all.push_back(writer.take());
    known = known || !all.back().empty();
  }
  return known ? std::move(all) : json();
}

void take_more(const json& all, std::vector<RankSummary>& ranks) {
  for (std::size_t i = 0; i < std::min(all.size(), ranks.size()); ++i) {
    if (!all[i].is_array()) { return; }
    RankReader reader(all[i]);
    visit_more(ranks[i], reader);
  }
}

/// Null where none is known.
json pids_to_json(const std::vector<RankSummary>& ranks) {
  json pids = json::array();
  std::int64_t last = 0;
  bool known = false;
  for (const RankSummary& rank : ranks) {
    pids.push_back(rank.pid - last);
    last = rank.pid;
    known = known || rank.pid > 0;
  }
  return known ? std::move(pids) : json();
}

/// As far as they are what can be a pid.
void take_pids(const json& pids, std::vector<RankSummary>& ranks) {
  constexpr std::int64_t kLargestPid = std::int64_t{1} << 31;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < std::min(pids.size(), ranks.size()); ++i) {
    if (!pids[i].is_number_integer()) { return; }
    const auto step = pids[i].get<std::int64_t>();
    if (step < -kLargestPid || step > kLargestPid) { return; }
    last += step;
    if (last < 0 || last > kLargestPid) { return; }
    ranks[i].pid = last;
  }
}

}  // namespace

void end_rates(NodeSummary& summary, NodeTime now) {
  const double later = std::max(0.0, std::chrono::duration<double>(now - summary.written).count());
  for (RankSummary& rank : summary.ranks) {
    if (!rank.step_age || !rank.steps_per_s) { continue; }
    double window = std::chrono::duration<double>(kRateWindow).count();
    // Told when the next step was not due yet: of long steps, the window is twice as long as one.
    if (*rank.step_age * *rank.steps_per_s <= 1) { window = std::max(window, 2 / *rank.steps_per_s); }
    if (*rank.step_age + later < window) { continue; }
    rank.steps_per_s = 0;
    if (rank.samples_per_s) { rank.samples_per_s = 0; }
  }
}

std::string to_text(const NodeSummary& summary) {
  json ranks = json::array();
  for (RankSummary rank : summary.ranks) {
    RankWriter writer;
    visit_fields(rank, writer);
    ranks.push_back(writer.take());
  }
  json array = json::array();
  array.push_back(kSummaryVersion);
  array.push_back(summary.round);
  array.push_back(summary.group_rank);
  array.push_back(summary.written.time_since_epoch().count());
  array.push_back(summary.host);
  array.push_back(summary.first_rank);
  array.push_back(std::move(ranks));
  array.push_back(pids_to_json(summary.ranks));
  array.push_back(more_to_json(summary.ranks));
  while (array.back().is_null()) { array.erase(array.size() - 1); }
  return array.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<NodeSummary> node_summary_from_text(std::string_view text) {
  if (text.size() > kLargestSummary) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 7 || array[0] != kSummaryVersion) { return std::nullopt; }
  const auto round = summary_count(array[1]);
  const auto group_rank = summary_count(array[2]);
  const auto written = summary_count(array[3]);
  const auto first_rank = summary_count(array[5]);
  const json& ranks = array[6];
  if (!round || !group_rank || !written || !array[4].is_string() || !first_rank || !ranks.is_array() ||
      ranks.size() > kMostRanksOfNode) {
    return std::nullopt;
  }
  NodeSummary summary;
  summary.round = *round;
  summary.group_rank = *group_rank;
  summary.written = NodeTime(std::chrono::milliseconds(std::min(*written, std::int64_t{1} << 43)));
  summary.host = output::printable(array[4].get_ref<const std::string&>(), kLongestSummaryHost);
  summary.first_rank = *first_rank;
  for (const json& fields : ranks) {
    if (!fields.is_array()) { return std::nullopt; }
    RankReader reader(fields);
    visit_fields(summary.ranks.emplace_back(), reader);
  }
  if (array.size() > 7 && array[7].is_array()) { take_pids(array[7], summary.ranks); }
  if (array.size() > 8 && array[8].is_array()) { take_more(array[8], summary.ranks); }
  return summary;
}

}  // namespace mdl::launcher::progress

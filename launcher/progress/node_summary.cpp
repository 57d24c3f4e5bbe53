#include "launcher/progress/node_summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "launcher/output/printable.hpp"
#include "launcher/progress/point_window.hpp"
#include "launcher/progress/progress_message.hpp"

namespace mdl::launcher::progress {
namespace {
using nlohmann::json;

// [2, round, group rank, written (ms), host, first rank, number of ranks, [column, column, …]]; what comes behind is of
// later programs, as are further columns. A column is a field of all ranks: one value where all have the same, else an
// array of theirs, in which null is one that is not known and nulls at the end are left out; [] where none is known. In
// an array of whole numbers each is what it is above the last one.
constexpr int kSummaryVersion = 2;
constexpr std::size_t kLongestSummaryHost = 256;
constexpr std::size_t kLongestGpu = 128;
constexpr std::size_t kLargestSummary = 4 * 1024 * 1024;
constexpr std::int64_t kLargestSummaryCount = std::int64_t{1} << 53;
constexpr std::int64_t kLargestPid = std::int64_t{1} << 31;
constexpr double kLargestReal = 1e15;
constexpr const char* kNaNWord = "NaN";
constexpr const char* kInfinityWord = "Infinity";
constexpr const char* kMinusInfinityWord = "-Infinity";

json short_number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  const double rounded = std::strtod(text, nullptr);
  const bool whole = std::abs(rounded) < 1e15 && rounded == std::floor(rounded);
  return whole ? json(static_cast<std::int64_t>(rounded)) : json(rounded);
}

json number_or_word(double value) {
  if (std::isnan(value)) { return kNaNWord; }
  if (std::isinf(value)) { return value > 0 ? kInfinityWord : kMinusInfinityWord; }
  return short_number(value, 6);
}

/// To four digits, and to six from 10 on, so that minutes keep their milliseconds.
json time_or_rate(double value) {
  return value < 10 ? short_number(value, 4) : number_or_word(value);
}

bool is_whole(const json& value) {
  return value.is_number_integer() &&
         !(value.is_number_unsigned() &&
           value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

/// Writes a column for each field.
class ColumnWriter {
 public:
  explicit ColumnWriter(const std::vector<RankSummary>& ranks) : ranks_(ranks) {}

  void count(std::optional<std::int64_t> RankSummary::* field) {
    add_whole([&](const RankSummary& rank) { return rank.*field ? json(*(rank.*field)) : json(); });
  }
  void number(std::int64_t RankSummary::* field, std::int64_t /*most*/ = kLargestSummaryCount) {
    add_whole([&](const RankSummary& rank) { return rank.*field > 0 ? json(rank.*field) : json(); });
  }
  void real(std::optional<double> RankSummary::* field) {
    add([&](const RankSummary& rank) { return rank.*field ? time_or_rate(*(rank.*field)) : json(); });
  }
  void value(std::optional<double> RankSummary::* field) {
    add([&](const RankSummary& rank) { return rank.*field ? number_or_word(*(rank.*field)) : json(); });
  }
  void text(std::string RankSummary::* field, std::size_t /*most*/) {
    add([&](const RankSummary& rank) { return (rank.*field).empty() ? json() : json(rank.*field); });
  }
  void flag(bool RankSummary::* field) {
    add([&](const RankSummary& rank) { return rank.*field ? json(1) : json(); });
  }
  json take() { return std::move(columns_); }

 private:
  template <typename ValueOf>
  void add(const ValueOf& value_of) {
    columns_.push_back(column(value_of));
  }
  template <typename ValueOf>
  void add_whole(const ValueOf& value_of) {
    json values = column(value_of);
    std::int64_t last = 0;
    for (std::size_t i = 0; values.is_array() && i < values.size(); ++i) {
      if (values[i].is_null()) { continue; }
      const auto whole = values[i].template get<std::int64_t>();
      values[i] = whole - std::exchange(last, whole);
    }
    columns_.push_back(std::move(values));
  }
  template <typename ValueOf>
  json column(const ValueOf& value_of) const {
    json values = json::array();
    std::size_t known = 0;  // up to the last one that is
    for (const RankSummary& rank : ranks_) {
      values.push_back(value_of(rank));
      if (!values.back().is_null()) { known = values.size(); }
    }
    if (known == ranks_.size() && known > 0 && std::equal(values.begin() + 1, values.end(), values.begin())) {
      return json(values[0]);
    }
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(known), values.end());
    return values;
  }

  const std::vector<RankSummary>& ranks_;
  json columns_ = json::array();
};

/// Reads them again, in the same order; what is not as it must be is not known.
class ColumnReader {
 public:
  ColumnReader(const json& columns, std::vector<RankSummary>& ranks) : columns_(columns), ranks_(ranks) {}

  void count(std::optional<std::int64_t> RankSummary::* field) {
    each_whole(kLargestSummaryCount, [&](RankSummary& rank, std::int64_t whole) { rank.*field = whole; });
  }
  void number(std::int64_t RankSummary::* field, std::int64_t most = kLargestSummaryCount) {
    each_whole(most, [&](RankSummary& rank, std::int64_t whole) { rank.*field = whole; });
  }
  void real(std::optional<double> RankSummary::* field) {
    each([&](RankSummary& rank, const json& told) {
      const double real = told.is_number() ? told.get<double>() : -1;
      if (real >= 0 && real <= kLargestReal) { rank.*field = real; }
    });
  }
  void value(std::optional<double> RankSummary::* field) {
    constexpr double kEndless = std::numeric_limits<double>::infinity();
    each([&](RankSummary& rank, const json& told) {
      if (told.is_number()) { rank.*field = told.get<double>(); }
      if (told == kNaNWord) { rank.*field = std::numeric_limits<double>::quiet_NaN(); }
      if (told == kInfinityWord) { rank.*field = kEndless; }
      if (told == kMinusInfinityWord) { rank.*field = -kEndless; }
    });
  }
  void text(std::string RankSummary::* field, std::size_t most) {
    // Once for all ranks that have it: it may be as long as the whole summary.
    const json* last = nullptr;
    std::string shown;
    each([&](RankSummary& rank, const json& told) {
      if (!told.is_string()) { return; }
      if (std::exchange(last, &told) != &told) { shown = output::printable(told.get_ref<const std::string&>(), most); }
      rank.*field = shown;
    });
  }
  void flag(bool RankSummary::* field) {
    each([&](RankSummary& rank, const json& told) { rank.*field = told.is_number_integer() && told > 0; });
  }

 private:
  /// Takes the next column.
  template <typename Take>
  void each(const Take& take) {
    if (at_ >= columns_.size()) { return; }
    const json& column = columns_[at_++];
    for (std::size_t i = 0; i < (column.is_array() ? std::min(column.size(), ranks_.size()) : ranks_.size()); ++i) {
      take(ranks_[i], column.is_array() ? column[i] : column);
    }
  }
  /// The same of whole numbers from 0 to `most`.
  template <typename Take>
  void each_whole(std::int64_t most, const Take& take) {
    const bool differences = at_ < columns_.size() && columns_[at_].is_array();
    std::int64_t last = 0;
    each([&](RankSummary& rank, const json& told) {
      if (!is_whole(told)) { return; }
      std::int64_t whole = 0;
      if (__builtin_add_overflow(last, told.get<std::int64_t>(), &whole) || whole < 0 || whole > most) { return; }
      if (differences) { last = whole; }
      take(rank, whole);
    });
  }

  const json& columns_;
  std::vector<RankSummary>& ranks_;
  std::size_t at_ = 0;
};

/// The columns, in their order: first what a rank that trains has.
template <typename Visitor>
void visit_columns(Visitor& visitor) {
  visitor.count(&RankSummary::step);
  visitor.count(&RankSummary::total);
  visitor.value(&RankSummary::loss);
  visitor.count(&RankSummary::samples);
  visitor.real(&RankSummary::samples_per_s);
  visitor.real(&RankSummary::steps_per_s);
  visitor.real(&RankSummary::own);
  visitor.real(&RankSummary::waiting);
  visitor.real(&RankSummary::age);
  visitor.real(&RankSummary::step_age);
  visitor.real(&RankSummary::longest_step);
  visitor.flag(&RankSummary::made_step);
  visitor.real(&RankSummary::own_lately);
  visitor.count(&RankSummary::own_step);
  visitor.number(&RankSummary::pid, kLargestPid);
  visitor.value(&RankSummary::learning_rate);
  visitor.value(&RankSummary::grad_norm);
  visitor.value(&RankSummary::eval_loss);
  visitor.count(&RankSummary::eval_step);
  visitor.text(&RankSummary::gpu, kLongestGpu);
  visitor.text(&RankSummary::section, kLongestSection);
  visitor.real(&RankSummary::section_seconds);
  visitor.real(&RankSummary::section_age);
  visitor.real(&RankSummary::section_left_age);
  visitor.number(&RankSummary::dropped);
  visitor.number(&RankSummary::wrong);
  visitor.flag(&RankSummary::ended);
}

std::optional<std::int64_t> summary_count(const json& value) {
  if (!is_whole(value)) { return std::nullopt; }
  const auto count = value.get<std::int64_t>();
  return count < 0 || count > kLargestSummaryCount ? std::nullopt : std::optional(count);
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
  ColumnWriter writer(summary.ranks);
  visit_columns(writer);
  json columns = writer.take();
  while (!columns.empty() && columns.back().empty()) { columns.erase(columns.size() - 1); }
  json array = json::array();
  array.push_back(kSummaryVersion);
  array.push_back(summary.round);
  array.push_back(summary.group_rank);
  array.push_back(summary.written.time_since_epoch().count());
  array.push_back(summary.host);
  array.push_back(summary.first_rank);
  array.push_back(summary.ranks.size());
  array.push_back(std::move(columns));
  return array.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<NodeSummary> node_summary_from_text(std::string_view text) {
  if (text.size() > kLargestSummary) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 8 || array[0] != kSummaryVersion) { return std::nullopt; }
  const auto round = summary_count(array[1]);
  const auto group_rank = summary_count(array[2]);
  const auto written = summary_count(array[3]);
  const auto first_rank = summary_count(array[5]);
  const auto ranks = summary_count(array[6]);
  if (!round || !group_rank || !written || !array[4].is_string() || !first_rank || !ranks ||
      *ranks > static_cast<std::int64_t>(kMostRanksOfNode) || !array[7].is_array()) {
    return std::nullopt;
  }
  NodeSummary summary;
  summary.round = *round;
  summary.group_rank = *group_rank;
  summary.written = NodeTime(std::chrono::milliseconds(std::min(*written, std::int64_t{1} << 43)));
  summary.host = output::printable(array[4].get_ref<const std::string&>(), kLongestSummaryHost);
  summary.first_rank = *first_rank;
  summary.ranks.resize(static_cast<std::size_t>(*ranks));
  ColumnReader reader(array[7], summary.ranks);
  visit_columns(reader);
  return summary;
}

}  // namespace mdl::launcher::progress

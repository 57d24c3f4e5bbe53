#include "launcher/dashboard/series_history.hpp"

#include <algorithm>
#include <utility>

#include "common/str_cat.hpp"
#include "launcher/dashboard/json_row.hpp"

namespace mdl::launcher::dashboard {
namespace {

constexpr std::array<const char*, 4> kSeriesNames = {"loss", "eval_loss", "learning_rate", "grad_norm"};

}  // namespace

void SeriesHistory::take(const progress::RankSummary& said) {
  add(series_[0], said.step, said.loss);
  add(series_[1], said.eval_step, said.eval_loss);
  add(series_[2], said.step, said.learning_rate);
  add(series_[3], said.step, said.grad_norm);
}

void SeriesHistory::add(Series& series, std::optional<std::int64_t> step, std::optional<double> value) {
  if (!step || !value) { return; }
  std::vector<Point>& points = series.points;
  if (!points.empty() && *step < points.back().step) {
    const auto from = std::lower_bound(points.begin(), points.end(), *step,
                                       [](const Point& point, std::int64_t at) { return point.step < at; });
    points.erase(from, points.end());
    ++generation_;
  }
  if (!points.empty() && *step - points.back().step < series.apart) { return; }
  points.push_back({*step, *value});
  if (points.size() >= kMostPoints) { thin(series); }
}

void SeriesHistory::thin(Series& series) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < series.points.size(); i += 2) { kept.push_back(series.points[i]); }
  series.points = std::move(kept);
  const std::int64_t range = series.points.back().step - series.points.front().step;
  series.apart = std::max<std::int64_t>(1, range / static_cast<std::int64_t>(series.points.size()));
  ++generation_;
}

std::optional<std::string> SeriesHistory::next(Cursor& cursor) const {
  const bool reset = cursor.generation_ != generation_;
  if (reset) { cursor = Cursor(); }
  cursor.generation_ = generation_;
  std::string lists;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    std::size_t& told = cursor.told_[i];
    const std::vector<Point>& points = series_[i].points;
    if (told == points.size()) { continue; }
    lists += str_cat(lists.empty() ? "\"" : ",\"", kSeriesNames[i], "\":[");
    for (std::size_t at = told; at < points.size(); ++at) {
      JsonRow row;
      row.count(points[at].step);
      row.value(points[at].value);
      lists += str_cat(at == told ? "" : ",", row.take());
    }
    lists += "]";
    told = points.size();
  }
  if (lists.empty() && !reset) { return std::nullopt; }
  return str_cat("{\"reset\":", reset ? "true" : "false", ",\"series\":{", lists, "}}");
}

}  // namespace mdl::launcher::dashboard

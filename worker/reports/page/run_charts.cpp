#include "worker/reports/page/run_charts.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "common/str_cat.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/smoothing.hpp"

namespace mdl::worker::reports::page {
namespace {

constexpr std::size_t kMostCharts = 24, kMostWithRawLines = 6;
constexpr std::size_t kEvaluationColour = 1;

using Chosen = std::function<Points(const RunHistory&)>;

bool is_speed_or_total(const std::string& metric) {
  for (const char* end : {"_runtime", "_samples_per_second", "_steps_per_second"}) {
    if (metric.ends_with(end)) { return true; }
  }
  return metric.starts_with("train_") || metric.starts_with("peak_vram_gib_rank_") ||
         metric.starts_with("reserved_vram_gib_rank_") || metric == "epoch" || metric == "total_flos";
}

/// Charts that all have the same steps.
class RunCharts {
 public:
  explicit RunCharts(const std::vector<RunHistory>& runs) : runs_(runs) {
    last_ = 1;
    for (const RunHistory& run : runs) { last_ = std::max({last_, run.last_step}); }
    if (runs.size() != 1) { return; }
    for (const RunBegin& begin : runs.front().sidecar.begins) {
      if (begin.kind == RunBegin::Kind::started) { continue; }
      marks_.push_back(
          {begin.step, str_cat(name_of(begin.kind), ", ", begin.ranks, begin.ranks == 1 ? " rank" : " ranks")});
    }
  }

  void add_loss() {
    Chart chart = empty("Loss");
    for (std::size_t i = 0; i < runs_.size(); ++i) { add_smoothed(chart, i, runs_[i].points("loss"), "loss"); }
    if (runs_.size() == 1) {
      const RunHistory& run = runs_.front();
      if (const Points& points = run.points("eval_loss"); !points.empty()) {
        chart.lines.push_back(
            {.label = "evaluation", .colour = kEvaluationColour, .style = ChartLine::Style::dotted, .points = points});
        mark_best(chart, "eval_loss");
      }
    }
    keep(std::move(chart));
  }

  void add(const std::string& title, const std::string& metric, const char* unit = "", bool may_be_logarithmic = true) {
    Chart chart = empty(title);
    chart.unit = unit;
    chart.may_be_logarithmic = may_be_logarithmic;
    const bool evaluation = metric.starts_with("eval_");
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      add_line(chart, i, runs_[i].points(metric), evaluation ? ChartLine::Style::dotted : ChartLine::Style::line);
    }
    if (evaluation) {
      mark_best(chart, metric);
      for (ChartLine& line : chart.lines) { line.colour = runs_.size() == 1 ? kEvaluationColour : line.colour; }
    }
    keep(std::move(chart));
  }

  void add_gradient_norm() {
    Chart chart = empty("Gradient norm");
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      add_smoothed(chart, i, runs_[i].points("grad_norm"), "gradient norm");
    }
    keep(std::move(chart));
  }

  void add_speed() {
    Chart chart = empty("Samples per second");
    chart.from_zero = true;
    chart.may_be_logarithmic = false;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      add_smoothed(chart, i, runs_[i].sidecar.samples_per_second(), "samples per second");
    }
    keep(std::move(chart));
  }

  void add_memory() {
    Chart chart = empty("Memory, at most");
    chart.unit = "GiB";
    chart.from_zero = true;
    chart.may_be_logarithmic = false;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const Points gpu = runs_[i].sidecar.gpu_memory();
      add_line(chart, i, gpu, ChartLine::Style::line, "GPU");
      if (gpu.empty() || runs_.size() == 1) {
        add_line(chart, i, runs_[i].sidecar.process_memory(), ChartLine::Style::line, "process");
        if (!gpu.empty()) { chart.lines.back().colour = 2; }
      }
    }
    keep(std::move(chart));
  }

  const std::vector<Chart>& charts() const { return charts_; }

 private:
  Chart empty(const std::string& title) const { return {.title = title, .marks = marks_, .first = 0, .last = last_}; }

  void add_line(Chart& chart, std::size_t run, Points points, ChartLine::Style style, const std::string& label = {}) {
    if (points.empty()) { return; }
    const bool alone = runs_.size() == 1;
    chart.lines.push_back(
        {.label = alone ? label : runs_[run].name, .colour = run, .style = style, .points = std::move(points)});
  }

  /// A strong line, and where it differs from it a pale one of the points themselves.
  void add_smoothed(Chart& chart, std::size_t run, const Points& points, const std::string& label) {
    const std::size_t span = smoothing_span(points.size());
    if (points.size() <= span) { return add_line(chart, run, points, ChartLine::Style::line, label); }
    if (runs_.size() <= kMostWithRawLines) { add_line(chart, run, points, ChartLine::Style::raw, label); }
    add_line(chart, run, smoothed(points, span), ChartLine::Style::line, "smoothed");
    chart.lines.back().exact = false;
  }

  void mark_best(Chart& chart, const std::string& metric) const {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const auto best = runs_[i].best();
      if (!best || best->metric != metric) { continue; }
      chart.best.push_back({best->point, runs_.size() == 1 ? kEvaluationColour : i,
                            runs_.size() == 1 ? str_cat("best ", short_number(best->point.value)) : std::string()});
    }
  }

  void keep(Chart chart) {
    if (chart.lines.empty() || charts_.size() >= kMostCharts) { return; }
    if (runs_.size() == 1) {
      for (const Point& point : chart.lines.back().points) {
        if (std::isfinite(point.value)) {
          chart.value = str_cat(short_number(point.value), chart.unit.empty() ? "" : " ", chart.unit);
        }
      }
    }
    charts_.push_back(std::move(chart));
  }

  const std::vector<RunHistory>& runs_;
  std::int64_t last_ = 1;
  std::vector<StepMark> marks_;
  std::vector<Chart> charts_;
};

/// By name; those of which a run has more than one point, evaluations also with one.
std::set<std::string> other_metrics(const std::vector<RunHistory>& runs, bool evaluations) {
  std::set<std::string> names;
  for (const RunHistory& run : runs) {
    for (const auto& [name, points] : run.metrics) {
      const bool evaluation = name.starts_with("eval_");
      if (evaluation == evaluations && !is_speed_or_total(name) && points.size() > (evaluation ? 0U : 1U)) {
        names.insert(name);
      }
    }
  }
  for (const char* known : {"loss", "eval_loss", "learning_rate", "grad_norm"}) { names.erase(known); }
  return names;
}

}  // namespace

std::string title_of(const std::string& metric) {
  constexpr std::string_view kEval = "eval_";
  const bool evaluation = metric.starts_with(kEval);
  std::string title = evaluation ? metric.substr(kEval.size()) : metric;
  std::replace(title.begin(), title.end(), '_', ' ');
  if (evaluation) { return title == "loss" ? "Evaluation loss" : "Evaluation: " + title; }
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') { title[0] = static_cast<char>(title[0] - 'a' + 'A'); }
  return title;
}

std::vector<Chart> charts_of(const std::vector<RunHistory>& runs) {
  RunCharts charts(runs);
  charts.add_loss();
  if (runs.size() > 1) { charts.add("Evaluation loss", "eval_loss"); }
  for (const std::string& name : other_metrics(runs, true)) { charts.add(title_of(name), name); }
  charts.add("Learning rate", "learning_rate", "", false);
  charts.add_gradient_norm();
  charts.add_speed();
  charts.add_memory();
  for (const std::string& name : other_metrics(runs, false)) { charts.add(title_of(name), name); }
  return charts.charts();
}

}  // namespace mdl::worker::reports::page

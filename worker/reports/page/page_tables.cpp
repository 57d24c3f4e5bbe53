#include "worker/reports/page/page_tables.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "common/str_cat.hpp"
#include "worker/reports/page/markup.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/run_charts.hpp"
#include "worker/reports/page/smoothing.hpp"

namespace mdl::worker::reports::page {
namespace {

/// The last value of the smoothed loss.
std::optional<double> last_loss(const RunHistory& run) {
  const Points& points = run.points("loss");
  const std::size_t span = smoothing_span(points.size());
  const Points line = points.size() > span ? smoothed(points, span) : points;
  return line.empty() ? std::nullopt : std::optional(line.back().value);
}

std::optional<double> last_of(const RunHistory& run, const std::string& metric) {
  const Points& points = run.points(metric);
  return points.empty() ? std::nullopt : std::optional(points.back().value);
}

std::optional<double> samples_per_second(const RunHistory& run) {
  double samples = 0, seconds = 0;
  for (const StepRecord& record : run.sidecar.records) {
    samples += record.samples;
    seconds += record.seconds;
  }
  if (seconds > 0) { return samples / seconds; }
  return last_of(run, "train_samples_per_second");
}

std::optional<double> seconds_of(const RunHistory& run) {
  if (run.sidecar.seconds() > 0) { return run.sidecar.seconds(); }
  return last_of(run, "train_runtime");
}

std::string tile(const std::string& what, const std::string& value, const std::string& about) {
  return str_cat("<div class=\"tile\"><span>", escaped(what), "</span><b>", escaped(value), "</b><small>",
                 escaped(about), "</small></div>\n");
}

std::string memory_tile(const Sidecar& sidecar) {
  std::int64_t process = 0, gpu = 0;
  for (const StepRecord& record : sidecar.records) {
    process = std::max(process, record.process_bytes);
    gpu = std::max(gpu, record.gpu_bytes);
  }
  if (process == 0) { return {}; }
  const double bytes = static_cast<double>(gpu > 0 ? gpu : process);
  return tile("Memory", bytes_text(bytes), gpu > 0 ? "rank 0's GPU, at most" : "rank 0's process, at most");
}

std::string row(const Fact& fact) {
  return str_cat("<tr><th scope=\"row\">", escaped(fact.name), "</th><td>", escaped(fact.value), "</td></tr>");
}

std::string rows_table(std::span<const Fact> facts) {
  std::string rows;
  for (const Fact& fact : facts) { rows += row(fact); }
  return str_cat("<table><tbody>", rows, "</tbody></table>");
}

std::string table_card(const std::string& title, const std::string& table) {
  return str_cat("<section class=\"card\"><h2>", escaped(title), "</h2>", table, "</section>\n");
}

std::string begins_table(const Sidecar& sidecar) {
  std::string rows;
  for (const RunBegin& begin : sidecar.begins) {
    rows += str_cat("<tr><td>", name_of(begin.kind), "</td><td>", grouped(begin.step), "</td><td>", begin.ranks,
                    "</td><td>", time_text(begin.time), "</td><td>", duration_text(begin.seconds), "</td></tr>");
  }
  return table_card("Starts", str_cat("<table><thead><tr><th>How</th><th>After step</th><th>Ranks</th><th>When</th>",
                                      "<th>Trained for</th></tr></thead><tbody>", rows, "</tbody></table>"));
}

std::string or_dash(const std::optional<double>& value, std::string (*text)(double)) {
  return value ? text(*value) : "–";
}

}  // namespace

std::string run_tiles(const RunHistory& run) {
  std::string tiles;
  if (const auto loss = last_loss(run)) { tiles += tile("Training loss", short_number(*loss), "at the end, smoothed"); }
  if (const auto best = run.best()) {
    tiles += tile(best->metric == "eval_loss" ? "Best evaluation" : "Best: " + title_of(best->metric),
                  short_number(best->point.value), str_cat("at step ", grouped(best->point.step)));
  }
  if (const auto speed = samples_per_second(run)) {
    tiles += tile("Samples per second", short_number(*speed), "all ranks together");
  }
  tiles += memory_tile(run.sidecar);
  if (const auto seconds = seconds_of(run)) {
    const std::size_t begins = run.sidecar.begins.size();
    tiles += tile("Time", duration_text(*seconds),
                  begins > 1 ? str_cat("in ", begins, " starts") : std::string("of training"));
  }
  return tiles.empty() ? "" : str_cat("<section class=\"tiles\">\n", tiles, "</section>\n");
}

std::string run_tables(const RunHistory& run) {
  constexpr std::size_t kShort = 12;
  std::string beside, below;
  for (const FactTable& table : run.tables) {
    const std::span<const Fact> facts = table.facts;
    if (facts.size() <= kShort) {
      beside += facts.empty() ? "" : table_card(table.title, rows_table(facts));
      continue;
    }
    const std::size_t half = (facts.size() + 1) / 2;
    below += table_card(table.title, str_cat("<div class=\"pair\">", rows_table(facts.first(half)),
                                             rows_table(facts.subspan(half)), "</div>"));
  }
  if (!run.sidecar.begins.empty()) { beside += begins_table(run.sidecar); }
  return beside.empty() && below.empty() ? "" : str_cat("<div class=\"tables\">\n", beside, "</div>\n", below);
}

std::string runs_table(const std::vector<RunHistory>& runs) {
  std::string rows;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunHistory& run = runs[i];
    const auto best = run.best();
    rows += str_cat("<tr><td><i class=\"c", i, "\"></i>", escaped(run.name), "</td><td>", grouped(run.last_step),
                    "</td><td>", or_dash(last_loss(run), short_number), "</td><td>",
                    best ? short_number(best->point.value) : "–", "</td><td>",
                    best ? escaped(title_of(best->metric)) : "–", "</td><td>", best ? grouped(best->point.step) : "–",
                    "</td><td>", or_dash(samples_per_second(run), short_number), "</td><td>",
                    or_dash(seconds_of(run), duration_text), "</td></tr>\n");
  }
  return str_cat(
      "<section class=\"card runs scroll\"><table><thead><tr><th>Run</th><th>Steps</th><th>Training loss</th>",
      "<th>Best</th><th>of</th><th>at step</th><th>Samples/s</th><th>Time</th></tr></thead><tbody>\n", rows,
      "</tbody></table></section>\n");
}

}  // namespace mdl::worker::reports::page

#include "worker/reports/page/page.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/reports/page/markup.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/page_tables.hpp"
#include "worker/reports/page/run_charts.hpp"
#include "worker/reports/page/style_sheet.hpp"

namespace mdl::worker::reports::page {
namespace {

constexpr ChartSize kWide{.width = 1050, .height = 320}, kNarrow{.width = 340, .height = 230},
    kThird{.width = 330, .height = 200}, kHalf{.width = 500, .height = 210};

std::string head(const std::string& title, const PageState& state) {
  return str_cat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-",
                 style_hash(), "'; base-uri 'none'; form-action 'none'\">\n",
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
                 "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"mdl-toolkit ",
                 escaped(version()), "\">\n",
                 state.run == PageState::Run::running ? "<meta http-equiv=\"refresh\" content=\"60\">\n" : "",
                 "<title>", escaped(title), "</title>\n<style>", style_sheet(), "</style>\n</head>\n<body>\n<main>\n");
}

const char* name_of(PageState::Run run) {
  switch (run) {
    case PageState::Run::running:
      return "running";
    case PageState::Run::finished:
      return "finished";
    case PageState::Run::stopped:
      return "stopped";
    case PageState::Run::unknown:
      break;
  }
  return "";
}

std::string header(const std::vector<RunHistory>& runs, const PageState& state) {
  std::string line;
  if (const std::string name = name_of(state.run); !name.empty()) {
    // With the time: the page of a run that was killed stays as it is, and must not say more than was true then.
    const std::string when = state.run == PageState::Run::running ? str_cat(" on ", time_text(state.time)) : "";
    line += str_cat("<span class=\"pill ", name, "\">", name, when, "</span>");
  }
  if (runs.size() == 1) {
    const RunHistory& run = runs.front();
    line += str_cat("step ", grouped(run.last_step), run.total_steps > 0 ? " of " + grouped(run.total_steps) : "");
    if (const Points& epochs = run.points("epoch"); !epochs.empty()) {
      line += str_cat(" · epoch ", short_number(epochs.back().value));
    }
  }
  return str_cat("<header><h1>", runs.size() == 1 ? escaped(runs.front().name) : str_cat(runs.size(), " runs"),
                 "</h1><p>", line, "</p></header>\n");
}

std::string legend(const Chart& chart) {
  const auto is_raw = [](const ChartLine& line) { return line.style == ChartLine::Style::raw; };
  if (std::count_if(chart.lines.begin(), chart.lines.end(), std::not_fn(is_raw)) < 2) { return {}; }
  std::string items;
  for (const ChartLine& line : chart.lines) {
    const char* const style = line.style == ChartLine::Style::raw      ? " raw"
                              : line.style == ChartLine::Style::dotted ? " dotted"
                                                                       : "";
    items += str_cat("<li><i class=\"c", line.colour, style, "\"></i>", escaped(line.label), "</li>");
  }
  return str_cat("<ul class=\"legend\">", items, "</ul>");
}

/// A chart with its title. `size` nothing: over the whole page, and drawn a second time for phones.
std::string card(const Chart& chart, const std::optional<ChartSize>& size, bool with_legend) {
  const std::string told = with_legend ? legend(chart) : "";
  const std::string beside = told.empty() ? str_cat("<span class=\"value\">", escaped(chart.value), "</span>") : told;
  const std::string title = str_cat("<div class=\"head\"><h2>", escaped(chart.title), "</h2>", beside, "</div>");
  if (size) { return str_cat("<section class=\"card\">", title, chart_svg(chart, *size), "</section>\n"); }
  return str_cat("<section class=\"card\">", title, "<div class=\"wide\">", chart_svg(chart, kWide),
                 "</div><div class=\"narrow\">", chart_svg(chart, kNarrow), "</div></section>\n");
}

std::string cards(const std::vector<RunHistory>& runs) {
  const bool alone = runs.size() == 1;
  const std::vector<Chart> charts = charts_of(runs);
  if (charts.empty()) { return "<section class=\"card\"><h2>Nothing has been logged yet.</h2></section>\n"; }
  const bool two_beside = charts.size() == 3 || charts.size() == 5;  // where three would leave a hole
  std::string small;
  for (std::size_t i = 1; i < charts.size(); ++i) { small += card(charts[i], two_beside ? kHalf : kThird, alone); }
  return str_cat(card(charts.front(), std::nullopt, alone), "<div class=\"charts", two_beside ? " two" : "", "\">\n",
                 small, "</div>\n");
}

}  // namespace

std::string page_html(const std::vector<RunHistory>& runs, const PageState& state) {
  const std::string title = runs.size() == 1 ? str_cat(runs.front().name, " · training report")
                                             : str_cat(runs.size(), " runs · training report");
  return str_cat(head(title, state), header(runs, state), runs.size() == 1 ? run_tiles(runs.front()) : runs_table(runs),
                 cards(runs), runs.size() == 1 ? run_tables(runs.front()) : "", "<footer>Written by mdl-toolkit ",
                 escaped(version()), " on ", time_text(state.time),
                 ". Smoothed lines: exponentially weighted means.</footer>\n", "</main>\n</body>\n</html>\n");
}

}  // namespace mdl::worker::reports::page

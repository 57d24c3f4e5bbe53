#include "worker/reports/page/page.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>

#include "common/base64.hpp"
#include "worker/hub/digest.hpp"
#include "worker/reports/page/chart.hpp"
#include "worker/reports/page/markup.hpp"
#include "worker/reports/page/style_sheet.hpp"

using namespace mdl::worker::reports::page;
using Catch::Contains;

namespace {

RunHistory long_run(std::int64_t steps, int metrics) {
  RunHistory run{.name = "long", .total_steps = steps};
  for (std::int64_t step = 1; step <= steps; ++step) {
    const double value = std::sin(static_cast<double>(step) * 12.9898) + 2;
    for (int i = 0; i < metrics; ++i) { run.add("metric_" + std::to_string(i), step, value * 1.0000001); }
    for (const char* name : {"loss", "grad_norm", "learning_rate"}) { run.add(name, step, value); }
    if (step % 100 == 0) { run.add("eval_loss", step, value); }
    run.sidecar.add({.step = step, .samples = 16, .seconds = value, .process_bytes = 1 << 30});
  }
  return run;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) { ++found; }
  return found;
}

}  // namespace

TEST_CASE("names in a page are escaped") {
  CHECK(escaped("<script>\"a\" & 'b'") == "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
  CHECK(escaped("\xff\x01 \xc3\xbc \xe2\x80\xae \xed\xa0\x80 \xf0\x9f\x98\x80") ==
        "\uFFFD\uFFFD ü \uFFFD \uFFFD\uFFFD\uFFFD 😀");
  RunHistory run{.name = "</title><script>alert(1)</script>"};
  run.add("loss", 1, 2);
  run.add("eval_<img src=x onerror=alert(1)>", 1, 2);
  run.tables = {{"<b>", {{"\"><svg onload=x>", "'<a href=javascript:x>"}}}};
  RunHistory other = run;
  other.name = "\" onmouseover=\"x";
  for (const auto& runs : {std::vector<RunHistory>{run}, {run, other}}) {
    const std::string page = page_html(runs, {});
    CHECK(count(page, "<script") == 0);
    CHECK(count(page, "<img") == 0);
    CHECK(count(page, "<a ") == 0);
    CHECK(count(page, "<svg onload") == 0);
    CHECK(count(page, "\" onmouseover") == 0);
  }
}

TEST_CASE("a page has nothing outside it, no script, and allows its one style sheet") {
  const std::string page = page_html({long_run(50, 1)}, {.run = PageState::Run::running});
  for (const char* word : {"http:", "https:", "src=", "href=", "url(", "@import", "style=\""}) {
    CHECK(count(page, word) == 0);
  }
  CHECK_THAT(page, Contains("default-src 'none'; style-src 'sha256-" + std::string(style_hash()) + "'"));
  CHECK_THAT(page, Contains("http-equiv=\"refresh\""));
  CHECK_THAT(page, Contains(">running on 1970-01-01 00:00 UTC<"));  // which stays true when the run is killed
  CHECK(count(page_html({long_run(50, 1)}, {.run = PageState::Run::finished}), "http-equiv=\"refresh\"") == 0);
}

TEST_CASE("the policy names the style sheet's own hash") {
  const std::string hex = mdl::worker::hub::sha256_hex(style_sheet());
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  CHECK(mdl::base64_encode(bytes) == style_hash());  // whoever changes the sheet copies the left side to style_hash()
}

TEST_CASE("a page of 100,000 steps is made in a moment and has a bound") {
  const RunHistory run = long_run(100'000, 8);
  const auto begin = std::chrono::steady_clock::now();
  const std::string page = page_html({run}, {});
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));  // 0.2 s here, without a sanitizer
  CHECK(page.size() < 2'000'000);
  CHECK(page.size() > 100'000);
  CHECK(page_html(std::vector<RunHistory>(16, run), {}).size() < 16'000'000);
}

TEST_CASE("a chart's points lie where its axes say, and stand in it as numbers") {
  const Chart chart{
      .title = "Loss", .lines = {{.label = "loss", .points = {{0, 1}, {10, 3}, {20, 2.0000000000000004}}}}, .last = 20};
  const std::string svg = chart_svg(chart, {.width = 234, .height = 146});
  CHECK_THAT(svg, Contains("data-points=\"0 1,10 3,20 2.0000000000000004\""));
  CHECK_THAT(svg, Contains("data-x=\"0 20 34 222\" data-y=\"0.9 3.1 122 22\""));
  CHECK_THAT(svg, Contains("d=\"M34 117.45L128 26.55L222 72\""));
}

TEST_CASE("a page stands for runs that have next to nothing") {
  RunHistory nothing{.name = "empty"}, one{.name = "one"}, nan{.name = "other"};
  one.add("loss", 1, 2);
  nan.add("loss", 1, std::nan(""));
  nan.add("eval_loss", 1, std::nan(""));
  for (const auto& runs : {std::vector<RunHistory>{nothing}, {one}, {nan}, {nothing, one, nan}}) {
    const std::string page = page_html(runs, {});
    CHECK_THAT(page, Contains("</html>"));
    CHECK(count(page, "\"nan\" cx") == 0);
    CHECK(count(page, "=\"nan") == count(page, "class=\"nan\""));
  }
}

TEST_CASE("a mark on the steps has its words where there is room for them, and tells them in small charts when asked") {
  const Chart chart{.title = "Loss",
                    .lines = {{.label = "loss", .points = {{0, 1}, {20, 2}}}},
                    .marks = {{.step = 5, .label = "resumed, 2 ranks"}},
                    .last = 20};
  CHECK(count(chart_svg(chart, {.width = 1050, .height = 320}), "resumed, 2 ranks</text>") == 1);
  const std::string small = chart_svg(chart, {.width = 500, .height = 210});
  CHECK(count(small, "resumed, 2 ranks</text>") == 0);
  CHECK(count(small, "<title>resumed, 2 ranks</title>") == 1);
}

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <limits>

#include "worker/reports/page/block_curve.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/page_pace.hpp"
#include "worker/reports/page/smoothing.hpp"
#include "worker/reports/page/thinning.hpp"

using namespace mdl::worker::reports::page;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Points wave(std::int64_t count) {
  Points points;
  for (std::int64_t step = 1; step <= count; ++step) {
    points.push_back({step, std::sin(static_cast<double>(step) / 1000)});
  }
  return points;
}

}  // namespace

TEST_CASE("a smoothed line is the exponentially weighted mean that pandas has") {
  // pandas.Series([4, 2, 8, 6]).ewm(span=3, adjust=True).mean()
  const Points line = smoothed({{1, 4}, {2, 2}, {3, 8}, {5, 6}}, 3);
  REQUIRE(line.size() == 4);
  CHECK(line[0].value == 4);
  CHECK(line[1].value == Approx(2.6666666666666665));
  CHECK(line[2].value == Approx(5.714285714285714));
  CHECK(line[3].value == Approx(5.866666666666666));
  CHECK(line[3].step == 5);
  CHECK(smoothed({{1, 4}, {2, kNan}, {3, 4}}, 3) == Points{{1, 4}, {3, 4}});
}

TEST_CASE("thinned points are bounded, and keep spikes and gaps") {
  Points points = wave(100'000);
  points[33'333].value = 50;
  points[66'666].value = -50;
  points[77'777].value = kNan;
  const Points thin = thinned(points, 0, 100'000, 400);
  CHECK(thin.size() <= 2000);
  CHECK(std::count(thin.begin(), thin.end(), points[33'333]) == 1);
  CHECK(std::count(thin.begin(), thin.end(), points[66'666]) == 1);
  CHECK(std::count_if(thin.begin(), thin.end(), [](const Point& point) { return std::isnan(point.value); }) == 1);
  CHECK(thin.front() == points.front());
  CHECK(thin.back() == points.back());
  CHECK(std::is_sorted(thin.begin(), thin.end(), [](const Point& a, const Point& b) { return a.step < b.step; }));
}

TEST_CASE("few points stay as they are") {
  const Points points = wave(500);
  CHECK(thinned(points, 0, 500, 100) == points);
  CHECK(thinned({}, 0, 1, 10).empty());
}

TEST_CASE("the curve of blocks has the means of equal parts") {
  CHECK(block_curve({{1, 0}, {2, 7}, {3, 3}}, 60, true) == "▁█▄");
  CHECK(block_curve({{1, 0}, {2, 0}, {3, 7}, {4, 7}}, 2, true) == "▁█");
  CHECK(block_curve({{1, 5}, {2, 5}}, 60, true) == "▅▅");
  CHECK(block_curve({{1, kNan}}, 60, true).empty());
  CHECK(block_curve({{1, 7.708}, {2, kNan}, {3, 4.5}}, 60, false) == "7.708 4.5");
}

TEST_CASE("numbers, sizes and times are short") {
  CHECK(short_number(7.70812) == "7.708");
  CHECK(short_number(0.00001234) == "1.234e-5");
  CHECK(short_number(12340) == "12,340");
  CHECK(short_number(-1234567.4) == "-1,234,567");
  CHECK(short_number(1e12) == "1e12");
  CHECK(exact_number(0.1 + 0.2) == "0.30000000000000004");
  CHECK(bytes_text(1536.0 * 1024 * 1024) == "1.50 GiB");
  CHECK(bytes_text(17) == "17 B");
  CHECK(duration_text(0.84) == "0.8 s");
  CHECK(duration_text(723) == "12 min 3 s");
  CHECK(duration_text(86400 * 3 + 3600 * 4) == "3 d 4 h");
  CHECK(duration_text(kNan) == "?");
  CHECK(time_text(0) == "1970-01-01 00:00 UTC");
}

TEST_CASE("a page is written at most every ten seconds, and takes a fiftieth of the time") {
  using namespace std::chrono_literals;
  using Time = PagePace::Time;
  const Time begin{};
  PagePace pace(begin);
  CHECK_FALSE(pace.next_write(0));
  CHECK(pace.next_write(1) == begin + 2s);
  pace.wrote(begin + 2s, begin + 2100ms, 5);
  CHECK_FALSE(pace.next_write(5));
  CHECK(pace.next_write(6) == begin + 12100ms);
  pace.wrote(begin + 13s, begin + 16s, 9);  // a slow disk
  CHECK(pace.next_write(10) == begin + 166s);

  // 100,000 steps of 10 ms, a line each, and a page that takes 400 ms: 1,000 s of training.
  PagePace busy(begin);
  std::chrono::duration<double> writing{};
  for (std::int64_t logged = 1; logged <= 100'000; ++logged) {
    const Time now = begin + logged * 10ms;
    if (now < *busy.next_write(logged)) { continue; }
    busy.wrote(now, now + 400ms, logged);
    writing += 400ms;
  }
  CHECK(writing.count() <= 1000.0 / 50 + 0.8);
  CHECK(writing.count() > 10);
}

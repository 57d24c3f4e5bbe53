#include "worker/info/histogram.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <sstream>

using mdl::worker::info::draw_histogram;

namespace {

struct Line {
  double begin = 0, end = 0;
  long count = 0;
  std::string bar;
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Line read;
    std::string to;
    words >> read.begin >> to >> read.end;
    CHECK(to == "to");
    std::vector<std::string> rest;
    for (std::string word; words >> word;) { rest.push_back(word); }
    read.count = std::stol(rest.back());
    if (rest.size() == 2) { read.bar = rest.front(); }
    lines.push_back(read);
  }
  return lines;
}

}  // namespace

TEST_CASE("a histogram counts each value once, in ranges of one round width") {
  for (const double scale : {0.001, 1.0, 37.0, 5e6}) {
    std::vector<double> values;
    for (int i = 0; i < 1000; ++i) { values.push_back(scale * (3 + (i * 7919 % 1000) / 100.0)); }
    const auto lines = lines_of(draw_histogram(values, false));
    CHECK(lines.size() >= 5);
    CHECK(lines.size() <= 12);
    long all = 0;
    for (const Line& line : lines) {
      CHECK(line.end - line.begin == Approx(lines[0].end - lines[0].begin));
      CHECK(line.count == std::ranges::count_if(values, [&](double value) {
              return value >= line.begin - 1e-9 * scale && value < line.end - 1e-9 * scale;
            }));
      all += line.count;
    }
    CHECK(all == 1000);
  }
}

TEST_CASE("bars are as long as their counts say, and empty ranges have none") {
  std::vector<double> values(40, 1.5);
  values.insert(values.end(), 20, 9.5);
  values.push_back(5.5);
  const auto lines = lines_of(draw_histogram(values, false));
  CHECK(lines.front().bar == std::string(40, '#'));
  CHECK(lines.back().bar == std::string(20, '#'));
  CHECK(std::ranges::count_if(lines, [](const Line& line) { return line.count == 0 && line.bar.empty(); }) ==
        std::ssize(lines) - 3);
  CHECK(std::ranges::count_if(lines, [](const Line& line) { return line.count == 1 && line.bar == "#"; }) == 1);
  CHECK(draw_histogram({}, true).empty());
}

TEST_CASE("rows that are all alike are one range") {
  const std::string text = draw_histogram({10, 10, 10}, true);
  const auto lines = lines_of(text);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].count == 3);
  CHECK(lines[0].bar.size() == 40 * std::string("█").size());
}

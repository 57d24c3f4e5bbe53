#include "worker/reports/page/axis.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>

using namespace mdl::worker::reports::page;

namespace {

std::string texts(const Axis& axis) {
  std::string all;
  for (const Tick& tick : axis.ticks) { all += (all.empty() ? "" : " ") + tick.text; }
  return all;
}

}  // namespace

TEST_CASE("ticks stand at 1, 2 or 5 times a power of ten") {
  CHECK(texts(value_axis({4.9, 7.7}, false, false, 6)) == "5.0 5.5 6.0 6.5 7.0 7.5");
  CHECK(texts(value_axis({0, 0.005}, false, false, 6)) == "0 0.001 0.002 0.003 0.004 0.005");
  CHECK(texts(value_axis({0, 5e-5}, false, false, 5)) == "0 1e-5 2e-5 3e-5 4e-5 5e-5");
  CHECK(texts(value_axis({-3, 8}, false, true, 6)) == "-2 0 2 4 6 8");
  CHECK(texts(step_axis(0, 100000, 5)) == "0 20k 40k 60k 80k 100k");
  CHECK(texts(step_axis(0, 3, 12)) == "0 1 2 3");
  CHECK(texts(step_axis(0, 2'000'000, 4)) == "0 500k 1M 1.5M 2M");
}

TEST_CASE("an axis shows all values, with some air, and from zero where that is wanted") {
  const Axis axis = value_axis({2, 10}, false, false, 5);
  CHECK(axis.low == Approx(1.6));
  CHECK(axis.high == Approx(10.4));
  CHECK(axis.place(axis.low) == 0);
  CHECK(axis.place(axis.high) == 1);
  CHECK(value_axis({2, 10}, false, true, 5).low == 0);
}

TEST_CASE("an axis stands whatever the values are") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& values : std::vector<std::vector<double>>{
           {}, {nan}, {5}, {0}, {0, 0}, {nan, infinity, 3}, {-1e308, 1e308}, {1e-320, 1e-310}, {1, 1 + 1e-16}}) {
    for (const bool logarithmic : {false, true}) {
      const Axis axis = value_axis(values, logarithmic, false, 5);
      CHECK(axis.low < axis.high);
      CHECK(axis.ticks.size() <= 60);
      for (const double value : values) {
        if (!std::isfinite(value) || std::abs(value) > 1e300) { continue; }
        CHECK(axis.place(value) >= 0);
        CHECK(axis.place(value) <= 1);
      }
    }
  }
}

TEST_CASE("a logarithmic axis has powers of ten, and is chosen where it shows more") {
  const Axis axis = value_axis({0.01, 100}, true, false, 6);
  CHECK(texts(axis) == "0.01 0.1 1 10 100");
  CHECK(axis.place(1) == Approx(0.5));
  CHECK(texts(value_axis({1, 40}, true, false, 6)) == "1 2 5 10 20");
  CHECK(prefers_logarithm({1, 2, 3, 100, 200, 300}));
  CHECK(prefers_logarithm({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1e6}));
  CHECK_FALSE(prefers_logarithm({1, 2, 3, 4, 5, 6}));
  CHECK_FALSE(prefers_logarithm({0, 1, 10, 100, 1000}));
  CHECK_FALSE(prefers_logarithm({}));
}

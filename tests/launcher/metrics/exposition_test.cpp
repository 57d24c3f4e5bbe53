#include "launcher/metrics/exposition.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace mdl::launcher::metrics;

TEST_CASE("a family is its help, its type and its samples, and nothing where there is none") {
  Exposition out;
  out.family("mdl_nothing", "gauge", "Has no sample.");
  out.family("mdl_step", "gauge", "Steps.");
  out.sample(to_text({{"rank", "0"}}), 7);
  out.sample(to_text({{"rank", "1"}}), 7.25);
  CHECK(out.take() ==
        "# HELP mdl_step Steps.\n# TYPE mdl_step gauge\nmdl_step{rank=\"0\"} 7\nmdl_step{rank=\"1\"} 7.25\n");
}

TEST_CASE("values of labels are escaped, so that they stay within their quotation marks") {
  CHECK(to_text({{"a", "x\"} 1\nmdl_evil{b=\""}, {"c", "\\"}}) == "a=\"x\\\"} 1\\nmdl_evil{b=\\\"\",c=\"\\\\\"");
  CHECK(to_text({{"a", "你好"}}) == "a=\"你好\"");
}

TEST_CASE("numbers are written as Prometheus reads them") {
  const auto written = [](double value) {
    Exposition out;
    out.family("m", "gauge", "M.");
    out.sample("", value);
    const std::string text = out.take();
    return text.substr(text.rfind(' ') + 1);
  };
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  CHECK(written(std::numeric_limits<double>::quiet_NaN()) == "NaN\n");
  CHECK(written(kEndless) == "+Inf\n");
  CHECK(written(-kEndless) == "-Inf\n");
  CHECK(written(0) == "0\n");
  CHECK(written(-3) == "-3\n");
  CHECK(written(123'456'789'012'345) == "123456789012345\n");
  CHECK(written(1e300) == "1e+300\n");
  CHECK(written(1.0 / 3) == "0.333333333\n");
}

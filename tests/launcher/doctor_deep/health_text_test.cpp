#include "launcher/doctor_deep/health_text.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::doctor_deep;

TEST_CASE("speeds are told with three digits and the prefix that fits") {
  CHECK(scaled(110'000'000'000'000, "FLOP/s") == "110 TFLOP/s");
  CHECK(scaled(3'912'000'000'000, "B/s") == "3.91 TB/s");
  CHECK(scaled(999'700, "B") == "1 MB");
  CHECK(scaled(0, "B") == "0 B");
  CHECK(scaled(9'007'199'254'740'992, "FLOP/s") == "9.01 PFLOP/s");
  CHECK(scaled_of(110'000'000'000'000, 180'000'000'000'000, "FLOP/s") == "110 of 180 TFLOP/s");
  CHECK(scaled_of(900'000'000, 1'800'000'000, "B/s") == "0.9 of 1.8 GB/s");
  CHECK(scaled_range(171'000'000'000'000, 180'000'000'000'000, "FLOP/s") == "171 to 180 TFLOP/s");
  CHECK(scaled_range(180'000'000'000'000, 180'100'000'000'000, "FLOP/s") == "180 TFLOP/s");
  CHECK(time_text(14'200) == "14.2 µs");
  CHECK(time_text(2'500'000) == "2.5 ms");
}

#include "common/parse_number.hpp"

#include <catch2/catch.hpp>

using namespace mdl;

// tests/peer/launch/test_launch_options.py has torchrun itself read the same forms.
TEST_CASE("a whole number is read as Python's int() reads it") {
  CHECK(parse_whole_number("7") == 7);
  CHECK(parse_whole_number(" 7\n") == 7);
  CHECK(parse_whole_number("\t+7\r\n") == 7);
  CHECK(parse_whole_number("-3") == -3);
  CHECK(parse_whole_number("007") == 7);
  CHECK(parse_whole_number("1_000") == 1000);
  CHECK(parse_whole_number("9223372036854775807") == INT64_MAX);
  for (const char* wrong : {"", " ", "+", "-", "+-1", "-+1", "++1", "+ 1", "- 1", "1 2", "1.0", "0x10", "1e3", "_1",
                            "1_", "1__0", "one", "9223372036854775808", "-_1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_whole_number(wrong));
  }
}

TEST_CASE("a real number is read as Python's float() reads it, and is finite") {
  CHECK(parse_real_number("0.5") == 0.5);
  CHECK(parse_real_number(" .5\n") == 0.5);
  CHECK(parse_real_number("5.") == 5);
  CHECK(parse_real_number("+1e-1") == 0.1);
  CHECK(parse_real_number("1_0.5") == 10.5);
  CHECK(parse_real_number("-2") == -2);
  for (const char* wrong : {"", ".", "1e", "inf", "-inf", "nan", "nan(1)", "1,5", "1_.5", "0x1p3", "1 s", "1e999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_real_number(wrong));
  }
}

TEST_CASE("digits alone are a number as programs write it, in the range of its type") {
  CHECK(mdl::parse_digits<std::uint16_t>("65535") == 65535);
  CHECK(mdl::parse_digits<int>("007") == 7);
  CHECK(mdl::parse_digits<unsigned>("7150", 16) == 29008);
  for (const char* wrong : {"", " 1", "1 ", "+1", "-1", "1_0", "0x1", "1.0", "65536"}) {
    CHECK_FALSE(mdl::parse_digits<std::uint16_t>(wrong));
  }
  CHECK_FALSE(mdl::parse_digits<int>("-1"));
}

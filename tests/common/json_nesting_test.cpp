#include "common/json_nesting.hpp"

#include <catch2/catch.hpp>
#include <string>

using mdl::json_nesting;

TEST_CASE("the nesting of a JSON text is that of its brackets, not of its strings") {
  CHECK(json_nesting("") == 0);
  CHECK(json_nesting("1") == 0);
  CHECK(json_nesting("[1, 2]") == 1);
  CHECK(json_nesting(R"({"a": [1, {"b": []}], "c": []})") == 4);
  CHECK(json_nesting(R"("[[[[")") == 0);
  CHECK(json_nesting(R"(["\"[[[", "\\", [] ])") == 2);
  CHECK(json_nesting("]]]]]][") == 1);
  CHECK(json_nesting(std::string(1'000'000, '[')) == 1'000'000);
}

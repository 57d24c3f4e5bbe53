#include "common/expected.hpp"

#include <catch2/catch.hpp>
#include <string>

using mdl::Expected;
using mdl::Unexpected;

TEST_CASE("an Expected has a value or says why not, also where both are of one type") {
  const Expected<std::string, std::string> there = std::string("value");
  REQUIRE(there);
  CHECK((there.has_value() && *there == "value" && there.value() == "value" && there->size() == 5));
  const Expected<std::string, std::string> missing = Unexpected{std::string("reason")};
  REQUIRE_FALSE(missing);
  CHECK(missing.error() == "reason");
  CHECK_THROWS_AS(missing.value(), std::bad_variant_access);
}

#include "common/uuid.hpp"

#include <catch2/catch.hpp>

using mdl::make_uuid;

TEST_CASE("run ids are UUIDs, each a new one") {
  const std::string a = make_uuid();
  CHECK(a.size() == 36);
  CHECK(a[14] == '4');
  CHECK(a != make_uuid());
}


#include "common/join.hpp"
#include <catch2/catch.hpp>

using namespace mdl;

TEST_CASE("what is counted has its noun as one or as many") {
  CHECK(counted(1, "node") == "1 node");
  CHECK(counted(std::size_t{0}, "node") == "0 nodes");
  CHECK(counted(12L, "more process", "more processes") == "12 more processes");
  CHECK(counted(1, "more process", "more processes") == "1 more process");
}

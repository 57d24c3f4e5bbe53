#include "rendezvous/c10d/rank_assignment.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using Catch::Contains;

TEST_CASE("equal nodes get their workers' ranks one after the other") {
  CHECK(assign_ranks({{"default", 0, 4}, {"default", 1, 4}}) == std::vector<AssignedRanks>{{0, 8, 0, 8}, {4, 8, 4, 8}});
}

TEST_CASE("nodes of different sizes leave no gap") {
  CHECK(assign_ranks({{"w", 0, 1}, {"w", 1, 3}, {"w", 2, 2}}) ==
        std::vector<AssignedRanks>{{0, 6, 0, 6}, {1, 6, 1, 6}, {4, 6, 4, 6}});
}

TEST_CASE("each role counts its own ranks") {
  CHECK(assign_ranks({{"trainer", 0, 2}, {"reader", 1, 1}, {"trainer", 2, 2}, {"reader", 3, 3}}) ==
        std::vector<AssignedRanks>{{0, 8, 0, 4}, {2, 8, 0, 4}, {3, 8, 2, 4}, {5, 8, 1, 4}});
}

TEST_CASE("no nodes have no ranks") {
  CHECK(assign_ranks({}).empty());
}

TEST_CASE("role_info and assigned_ranks come back from JSON, ours and torch's") {
  const RoleInfo info{"a \"role\" ä", 3, 8};
  CHECK(role_info_from_json(to_json(info)) == info);
  CHECK(to_json(RoleInfo{"default", 0, 2}) == R"({"role":"default","rank":0,"local_world_size":2})");
  CHECK(role_info_from_json(R"({"role": "default", "rank": 1, "local_world_size": 2})") == RoleInfo{"default", 1, 2});
  const AssignedRanks ranks{4, 8, 2, 4};
  CHECK(to_json(ranks) == "[4,8,2,4]");
  CHECK(assigned_ranks_from_json("[4, 8, 2, 4]") == ranks);
}

TEST_CASE("anything else is an error that quotes it") {
  for (const char* text : {"", "nonsense", "[]", "{}", R"({"role": 1, "rank": 0, "local_world_size": 1})",
                           R"({"role": "r", "rank": -1, "local_world_size": 1})",
                           R"({"role": "r", "rank": 0, "local_world_size": 99999999999})",
                           R"({"role": "r", "rank": 0, "local_world_size": 1e300})"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(role_info_from_json(text), Contains("role_info") && Contains(text));
  }
  for (const char* text :
       {"", "[1, 2, 3]", "[1, 2, 3, 4, 5]", R"(["1", 2, 3, 4])", "[0, -1, 0, 1]", "[0, 1, -1e300, 1]", "{}"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(assigned_ranks_from_json(text), Contains("assigned_ranks") && Contains(text));
  }
}

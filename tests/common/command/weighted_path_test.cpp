#include "common/command/weighted_path.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using mdl::command::split_weight;

TEST_CASE("a number behind the last colon is a weight, unless there is something of the whole name") {
  CHECK(split_weight("data/a:0.7").path == "data/a");
  CHECK(split_weight("data/a:0.7").weight == 0.7);
  CHECK(split_weight("a:b:2").path == "a:b");
  CHECK(split_weight("a:-1").weight == -1.0);
  for (const char* plain : {"data/a", "a:", ":1", "a:b", "a:1x", "a:nan", "", ":"}) {
    CHECK(split_weight(plain).path == plain);
    CHECK_FALSE(split_weight(plain).weight);
  }
  const mdl::test::TempDir folder;
  const std::string file = (folder.path() / "run:3").string();
  std::ofstream(file) << "x";
  CHECK(split_weight(file).path == file);
  CHECK_FALSE(split_weight(file).weight);
  CHECK(split_weight(file + ":2").path == file);
}

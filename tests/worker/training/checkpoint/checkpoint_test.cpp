#include <catch2/catch.hpp>

#include "tests/temp_dir.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"

using namespace mdl;
using namespace mdl::worker::training::checkpoint;
using mdl::test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("the oldest checkpoints are removed, by number and not by name") {
  const TempDir output;
  for (const char* name : {"checkpoint-9", "checkpoint-10", "checkpoint-100", "checkpoint-100.unfinished", "final"}) {
    fs::create_directories(output.path() / name);
  }
  remove_old_checkpoints(output.path(), 2, 100);
  const auto left = list_checkpoints(output.path());
  REQUIRE(left.size() == 2);
  CHECK(left[0].filename() == "checkpoint-10");
  CHECK(left[1].filename() == "checkpoint-100");
  CHECK(fs::exists(output.path() / "final"));
}

TEST_CASE("what a run left that was killed while it removed a checkpoint goes with the next removal") {
  const TempDir output;
  for (const char* name : {"checkpoint-5.removed/half", "checkpoint-10", "final.removed", "checkpoint-x.removed"}) {
    fs::create_directories(output.path() / name);
  }
  remove_old_checkpoints(output.path(), 3, 10);
  CHECK_FALSE(fs::exists(output.path() / "checkpoint-5.removed"));
  CHECK(fs::exists(output.path() / "checkpoint-10"));
  CHECK(fs::exists(output.path() / "final.removed"));  // none of ours
  CHECK(fs::exists(output.path() / "checkpoint-x.removed"));
}

TEST_CASE("the checkpoint just written stays, whatever an earlier run left in the folder") {
  const TempDir output;
  for (const char* name : {"checkpoint-5", "checkpoint-10", "checkpoint-100", "checkpoint-200"}) {
    fs::create_directories(output.path() / name);
  }
  remove_old_checkpoints(output.path(), 3, 10);
  CHECK_FALSE(fs::exists(output.path() / "checkpoint-100"));
  CHECK(list_checkpoints(output.path()).size() == 3);
  remove_old_checkpoints(output.path(), 1, 10);
  const auto left = list_checkpoints(output.path());
  REQUIRE(left.size() == 1);
  CHECK(left[0].filename() == "checkpoint-10");
}

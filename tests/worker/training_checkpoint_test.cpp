#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/training/checkpoint.hpp"

using namespace mdl;
using mdl::test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("a folder that fails half-way never appears under its name") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  CHECK_THROWS_AS(write_folder_atomically(target,
                                          [](const fs::path& folder) {
                                            write_text_atomically(folder / "first", "1");
                                            throw Error("the disk is full");
                                          }),
                  Error);
  CHECK(fs::is_empty(output.path()));
}

TEST_CASE("a folder replaces an older one, with what a killed run left") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  fs::create_directories(target);
  write_text_atomically(target / "old", "1");
  fs::create_directories(output.path() / "checkpoint-5.unfinished/half");
  write_folder_atomically(target, [](const fs::path& folder) { write_text_atomically(folder / "new", "2"); });
  CHECK(read_text(target / "new") == "2");
  CHECK_FALSE(fs::exists(target / "old"));
  CHECK(std::distance(fs::directory_iterator(output.path()), {}) == 1);
}

TEST_CASE("the oldest checkpoints are removed, by number and not by name") {
  const TempDir output;
  for (const char* name : {"checkpoint-9", "checkpoint-10", "checkpoint-100", "checkpoint-100.unfinished", "final"}) {
    fs::create_directories(output.path() / name);
  }
  remove_old_checkpoints(output.path(), 2);
  const auto left = list_checkpoints(output.path());
  REQUIRE(left.size() == 2);
  CHECK(left[0].filename() == "checkpoint-10");
  CHECK(left[1].filename() == "checkpoint-100");
  CHECK(fs::exists(output.path() / "final"));
}

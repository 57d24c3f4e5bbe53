#include "common/file_overlap.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using namespace mdl;
using mdl::test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("a file is the same by every name that leads to it") {
  const TempDir folder;
  const fs::path file = folder.path() / "a.csv";
  std::ofstream(file) << "audio\n";
  fs::create_symlink("a.csv", folder.path() / "link.csv");
  fs::create_hard_link(file, folder.path() / "hard.csv");
  fs::create_directory(folder.path() / "sub");
  for (const char* name : {"a.csv", "./a.csv", "sub/../a.csv", "link.csv", "hard.csv"}) {
    CHECK(is_same_file(file, folder.path() / name));
  }
  std::ofstream(folder.path() / "b.csv") << "audio\n";
  CHECK_FALSE(is_same_file(file, folder.path() / "b.csv"));
  CHECK_FALSE(is_same_file(file, folder.path() / "nothing"));
}

TEST_CASE("what lies in a folder is found through links as well") {
  const TempDir folder;
  fs::create_directories(folder.path() / "real/deep");
  fs::create_directory_symlink("real", folder.path() / "link");
  CHECK(lies_in(folder.path() / "real/deep", folder.path() / "link"));
  CHECK(lies_in(folder.path() / "link/deep", folder.path() / "real"));
  CHECK(lies_in(folder.path() / "real", folder.path() / "real/"));
  CHECK_FALSE(lies_in(folder.path() / "real", folder.path() / "real/deep"));
  CHECK_FALSE(lies_in(folder.path() / "real", folder.path() / "nothing"));
  CHECK_FALSE(lies_in(folder.path() / "nothing", folder.path() / "real"));
}

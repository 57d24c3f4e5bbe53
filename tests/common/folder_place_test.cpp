#include "common/folder_place.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/plain_user.hpp"
#include "tests/temp_dir.hpp"

using mdl::find_folder_place;
using mdl::test::PlainUser;
using mdl::test::TempDir;
namespace fs = std::filesystem;

namespace {
constexpr fs::perms kReadOnly = fs::perms::owner_read | fs::perms::owner_exec;
}

TEST_CASE("a folder is made beside its name, where nothing is left of the trial") {
  const TempDir folder;
  const auto place = find_folder_place(folder.path() / "new/data/");
  CHECK(place.target == fs::canonical(folder.path()) / "new/data");
  CHECK(place.beside_or_inside(".partial") == place.target.string() + ".partial");
  CHECK(fs::is_empty(folder.path()));
  fs::create_directory(folder.path() / "old");
  CHECK_FALSE(find_folder_place(folder.path() / "old").inside);
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a link is followed, and one to nothing is an error that names both ends") {
  const TempDir folder;
  const fs::path root = fs::canonical(folder.path());
  fs::create_directories(root / "disk/data");
  fs::create_directory_symlink("disk/data", root / "link");
  fs::create_directory_symlink("disk", root / "parent");
  CHECK(find_folder_place(root / "link").target == root / "disk/data");
  CHECK(find_folder_place(root / "parent/new").target == root / "disk/new");
  CHECK(find_folder_place(root / "link/../new").target == root / "disk/new");  // as the kernel reads it
  CHECK(find_folder_place(root / "link/").target == root / "disk/data");
  fs::create_directory_symlink("gone", root / "dangling");
  for (const char* name : {"dangling", "dangling/", "dangling/new"}) {
    CHECK_THROWS_WITH(find_folder_place(root / name),
                      Catch::Contains((root / "dangling").string() + " is a link to gone, which does not exist"));
  }
  fs::create_directory_symlink("loop", root / "loop");
  CHECK_THROWS_AS(find_folder_place(root / "loop"), mdl::Error);
}

TEST_CASE("the working folder, and one in a folder that may not be written to, are filled from inside") {
  const TempDir folder;
  const fs::path mine = folder.path() / "others/mine";
  fs::create_directories(mine);
  const fs::path before = fs::current_path();
  fs::current_path(mine);
  const auto place = find_folder_place(".");
  fs::current_path(before);
  CHECK(place.beside_or_inside(".partial") == fs::canonical(mine) / ".partial");

  fs::permissions(folder.path() / "others", kReadOnly);
  {
    const PlainUser user({folder.path(), folder.path() / "others", mine});
    CHECK(find_folder_place(mine).inside);
    CHECK_THROWS_WITH(find_folder_place(folder.path() / "others/new"), Catch::Contains("Permission denied"));
    fs::permissions(mine, kReadOnly);
    CHECK_THROWS_WITH(find_folder_place(mine), Catch::Contains("cannot write to the folder " + mine.string()));
  }
  for (const fs::path& path : {folder.path() / "others", mine}) { fs::permissions(path, fs::perms::owner_all); }
}

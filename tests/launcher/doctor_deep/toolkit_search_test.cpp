#include "launcher/doctor_deep/toolkit_search.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using namespace mdl::launcher::doctor_deep;
namespace fs = std::filesystem;

namespace {

/// An executable file with that text in DIR/folder.
fs::path executable(const mdl::test::TempDir& dir, const std::string& folder, const std::string& name,
                    const std::string& text = "#!/bin/sh\n") {
  fs::create_directories(dir.path() / folder);
  fs::path file = dir.path() / folder / name;
  std::ofstream(file) << text;
  fs::permissions(file, fs::perms::owner_all);
  return file;
}

}  // namespace

TEST_CASE("mdl-toolkit is the job's own, else the one beside mdl-launch, else the first in PATH") {
  const mdl::test::TempDir dir;
  ToolkitPlaces places{.folder = dir.path() / "own",
                       .search_path = (dir.path() / "empty").string() + ":" + (dir.path() / "path").string()};
  CHECK_FALSE(find_toolkit(places));
  const fs::path in_path = executable(dir, "path", "mdl-toolkit");
  CHECK(find_toolkit(places) == in_path.string());
  const fs::path beside = executable(dir, "own", "mdl-toolkit");
  CHECK(find_toolkit(places) == beside.string());
  const fs::path native = executable(dir, "own", "mdl-toolkit-native");
  CHECK(find_toolkit(places) == native.string());
  places.of_job = executable(dir, "job", "mdl-toolkit").string();
  CHECK(find_toolkit(places) == places.of_job);
  places.of_job = (dir.path() / "gone").string();
  CHECK(find_toolkit(places) == native.string());
}

TEST_CASE("Python's mdl-toolkit, and what cannot be started, is not taken for the native one") {
  const mdl::test::TempDir dir;
  const std::string pythons = "#!/usr/bin/python3\nfrom mdl_toolkit.cli import main\nmain()\n";
  ToolkitPlaces places{.of_job = executable(dir, "job", "mdl-toolkit", pythons).string(),
                       .folder = dir.path() / "own",
                       .search_path = (dir.path() / "path").string()};
  executable(dir, "own", "mdl-toolkit", pythons);
  CHECK_FALSE(find_toolkit(places));
  const fs::path plain = executable(dir, "path", "mdl-toolkit");
  CHECK(find_toolkit(places) == plain.string());
  fs::permissions(plain, fs::perms::owner_read);
  CHECK_FALSE(find_toolkit(places));
  fs::remove(plain);
  fs::create_directories(plain);
  CHECK_FALSE(find_toolkit(places));
}

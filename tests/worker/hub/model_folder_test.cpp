#include "worker/hub/model_folder.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl::worker::hub;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void write_into(const fs::path& path, const std::string& text = "{}") {
  fs::create_directories(path.parent_path());
  mdl::write_text_atomically(path, text);
}

std::string refusal(const fs::path& folder) {
  try {
    find_model(folder.string(), Parts::all, false);
  } catch (const mdl::UsageError& error) { return error.what(); }
  return {};
}

}  // namespace

TEST_CASE("a folder of a cache is answered with the snapshot and the name to give instead") {
  const mdl::test::TempDir dir;
  const fs::path root = fs::canonical(dir.path());
  const fs::path model = root / "models--org--a-name";
  for (const char* commit : {"aaa", "bbb"}) { write_into(model / "snapshots" / commit / "config.json"); }
  write_into(model / "blobs/x");
  write_into(model / "refs/main", "bbb");
  for (const char* folder : {"", "blobs", "refs", "snapshots", "snapshots/"}) {
    const std::string told = refusal(model / folder);
    INFO(told);
    CHECK_THAT(told, Contains((model / "snapshots/bbb").string() + ", or the name org/a-name."));
  }
  CHECK(find_model((model / "snapshots/aaa").string(), Parts::all, false).folder == model / "snapshots/aaa");

  const fs::path other = root / "models/org--other";
  write_into(other / "snapshots/master/config.json");
  CHECK_THAT(refusal(other),
             Contains((other / "snapshots/master").string()) && Contains("the name org/other with --from"));

  fs::create_directories(root / "models--org--empty/snapshots");
  CHECK_THAT(refusal(root / "models--org--empty"), Contains("Give the name org/empty."));

  write_into(root / "models--org--own/config.json");
  fs::create_directories(root / "models--org--own/snapshots");
  CHECK(refusal(root / "models--org--own").empty());
}

TEST_CASE("a file is no model's name, whatever it is called") {
  const mdl::test::TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  write_into("model/config.json");
  const std::string told = refusal("model/config.json");
  fs::current_path(before);
  CHECK_THAT(told, Contains("model/config.json (it is a file)"));
}

#include "worker/convert/partial_folder.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using mdl::FolderPlace;
using mdl::read_text;
using mdl::write_text_atomically;
using mdl::test::TempDir;
using mdl::worker::convert::PartialFolder;
namespace fs = std::filesystem;

namespace {

const PartialFolder::Plan kPlan = {{"data-0.arrow", "a"}, {"data-1.arrow", "b"}};

void write_all(const PartialFolder& folder) {
  for (const auto& [name, fingerprint] : kPlan) { write_text_atomically(folder.path() / name, "new " + name); }
  write_text_atomically(folder.path() / "dataset_info.json", "{}");
  write_text_atomically(folder.path() / "state.json", "{}");
}

}  // namespace

TEST_CASE("a dataset is published beside its name or from inside, with no file but its own") {
  const TempDir root;
  const fs::path target = root.path() / "data";
  fs::create_directories(target);
  for (const char* name : {"data-7.arrow", "cache-1.arrow", "state.json"}) {
    write_text_atomically(target / name, "old");
  }
  FolderPlace place = PartialFolder::place_for(target);
  place.inside = GENERATE(false, true);
  PartialFolder folder(place, kPlan);
  write_all(folder);
  folder.publish();
  CHECK(read_text(target / "data-0.arrow") == "new data-0.arrow");
  CHECK(std::distance(fs::directory_iterator(target), {}) == 4);
  CHECK(std::distance(fs::directory_iterator(root.path()), {}) == 1);
}

TEST_CASE("a run that was killed while it moved the files is taken up") {
  const TempDir root;
  const fs::path target = root.path() / "data";
  fs::create_directories(target);
  const FolderPlace place{PartialFolder::place_for(target).target, true};
  {
    const PartialFolder folder(place, kPlan);
    write_all(folder);
  }
  fs::rename(target / ".partial/plan", target / ".partial/.plan");
  fs::rename(target / ".partial/data-0.arrow", target / "data-0.arrow");
  const bool at_its_end = GENERATE(false, true);
  if (at_its_end) {
    for (const char* name : {"data-1.arrow", "state.json"}) { fs::rename(target / ".partial" / name, target / name); }
  }
  REQUIRE(PartialFolder::place_for(target).inside);
  const PartialFolder folder(place, kPlan);
  for (const char* name : {"data-0.arrow", "data-1.arrow"}) {
    CHECK(folder.has(name) == !at_its_end);
    CHECK(fs::exists(target / name) == at_its_end);  // a whole dataset stays whole
  }
}

TEST_CASE("a folder with anything else than a dataset is refused, and what else it is") {
  const TempDir root;
  write_text_atomically(root.path() / "data-0.arrow", "of a dataset in another form");
  CHECK_THROWS_WITH(PartialFolder::place_for(root.path()), Catch::Contains("data-0.arrow"));
  write_text_atomically(root.path() / "state.json", "{}");
  fs::create_directory(root.path() / "lost+found");  // as the root of a disk has it
  CHECK_NOTHROW(PartialFolder::place_for(root.path()));
  write_text_atomically(root.path() / "notes.txt", "");
  CHECK_THROWS_WITH(PartialFolder::place_for(root.path()), Catch::Contains("notes.txt"));
}

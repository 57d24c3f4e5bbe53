#include "worker/health/disk_speed.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl::worker::health;
using Catch::Contains;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::int64_t number_in(const HealthPart::Numbers& numbers, const std::string& key) {
  return HealthPart{"", numbers, ""}.number(key);
}

}  // namespace

TEST_CASE("a disk is measured with a file that leaves nothing behind") {
  const mdl::test::TempDir dir;
  const auto numbers = measure_disk(dir.path(), {.bytes = 9 << 20});
  CHECK(number_in(numbers, "bytes") == 9 << 20);
  CHECK(number_in(numbers, "write_bytes_per_s") > 0);
  CHECK(number_in(numbers, "free_bytes") > 0);
  CHECK(fs::is_empty(dir.path()));
  CHECK(number_in(measure_disk(dir.path(), {.bytes = 40 << 20, .limit = 1h}), "repeats") == 2);
}

TEST_CASE("a slow disk is written to for as long as the limit says, and measured all the same") {
  const mdl::test::TempDir dir;
  const auto numbers = measure_disk(dir.path(), {.bytes = 64 << 20, .limit = std::chrono::milliseconds(0)});
  CHECK(number_in(numbers, "bytes") == 16 << 20);
  CHECK(number_in(numbers, "repeats") == 1);
  CHECK(number_in(numbers, "write_bytes_per_s") > 0);
}

TEST_CASE("a disk without room, and a folder that is none, are errors with their names") {
  const mdl::test::TempDir dir;
  CHECK_THROWS_WITH(measure_disk(dir.path(), {.bytes = std::numeric_limits<std::int64_t>::max() / 4}),
                    Contains(dir.path().string() + " has only") && Contains("MiB free"));
  CHECK_THROWS_WITH(measure_disk(dir.path() / "none", {}), Contains("none: No such file or directory"));
  CHECK_THROWS_WITH(measure_disk("/proc", {.bytes = 0}), Contains("cannot write to /proc"));
}

TEST_CASE("the folder whose disk is measured is the nearest one that exists") {
  const mdl::test::TempDir dir;
  CHECK(nearest_folder(dir.path() / "a" / "b") == dir.path());
  CHECK(nearest_folder(dir.path()) == dir.path());
  CHECK(nearest_folder("relative/of/nowhere") == fs::current_path());
}

TEST_CASE("a file in the place of the folder whose disk is to be measured is an error, in the words of train") {
  const mdl::test::TempDir dir;
  const std::string file = (dir.path() / "file").string();
  std::ofstream(file) << "x";
  CHECK_THROWS_WITH(nearest_folder(file), "--output " + file + ": " + file + " is a file, not a folder");
  CHECK_THROWS_WITH(nearest_folder(file + "/b"), "--output " + file + "/b: " + file + " is a file, not a folder");
  fs::create_symlink("loop", dir.path() / "loop");
  CHECK_THROWS_WITH(nearest_folder(dir.path() / "loop" / "b"), Contains("cannot look at " + dir.path().string()));
}

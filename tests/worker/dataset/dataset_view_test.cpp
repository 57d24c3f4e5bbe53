#include "worker/dataset/dataset_view.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/dataset_files.hpp"

using namespace mdl;
using namespace mdl::worker::dataset;
using namespace mdl::test;
using Catch::Contains;

TEST_CASE("folders stand one behind the other, and each row knows where it lies") {
  const TempDir one, other;
  write_dataset(one.path(), {two_clips()});
  write_dataset(other.path(), {two_clips(), two_clips()});
  const DatasetView view(DatasetView::Folders{std::make_shared<const DatasetFolder>(one.path()),
                                              std::make_shared<const DatasetFolder>(other.path())});
  REQUIRE(view.size() == 6);
  CHECK(view.part_sizes() == std::vector<int64_t>{2, 4});
  CHECK(view.sample(1).input_ids == view.sample(5).input_ids);
  CHECK(view.sample(0).input_ids != view.sample(5).input_ids);
  CHECK_THAT(view.describe(5), Contains("row 3 of " + other.path().string()));
  CHECK(view.describe(std::vector<int64_t>{1, 2, 5}) ==
        "rows 1 of " + one.path().string() + "; rows 0, 3 of " + other.path().string());
  CHECK_THROWS_AS(view.sample(6), Error);

  const DatasetView odd = view.where([](int64_t row) { return row % 2 == 1; });
  CHECK(odd.size() == 3);
  CHECK(odd.part_sizes() == std::vector<int64_t>{1, 2});
  CHECK_THAT(odd.describe(2), Contains("row 3 of " + other.path().string()));
  const DatasetView last = odd.where([](int64_t row) { return row == 2; });
  CHECK(last.part_sizes() == std::vector<int64_t>{0, 1});
  CHECK_THAT(last.describe(0), Contains("row 3 of " + other.path().string()));
  CHECK_THROWS_AS(last.sample(1), Error);
  CHECK(last.describe(std::vector<int64_t>()) == "no rows of " + one.path().string() + ", " + other.path().string());
}

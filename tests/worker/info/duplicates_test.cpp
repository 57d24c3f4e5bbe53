#include "worker/info/duplicates.hpp"

#include <catch2/catch.hpp>

#include "tests/temp_dir.hpp"
#include "tests/worker/dataset_files.hpp"

using namespace mdl::test;
using mdl::worker::info::describe_duplicates;
using mdl::worker::info::Duplicate;
using mdl::worker::info::find_duplicates;

TEST_CASE("rows with an earlier row's sound are found, with its text or another one, whatever is padded") {
  const TempDir folder;
  std::vector<float> sound(1000);
  for (std::size_t i = 0; i < sound.size(); ++i) { sound[i] = static_cast<float>(i) / 1000; }
  std::vector<float> changed = sound, padded = sound;
  changed[10] = 0.25F;  // beside the stretch that is looked at first
  padded.resize(1200);
  write_dataset(
      folder.path(),
      {{{"input_ids", list_column<arrow::Int32Builder, int32_t>({{1, 2}, {1, 2}, {0, 1, 2}, {1, 3}, {1, 2}})},
        {"attention_mask", list_column<arrow::Int8Builder, int8_t>({{1, 1}, {1, 1}, {0, 1, 1}, {1, 1}, {1, 1}})},
        {"input_values", list_column<arrow::FloatBuilder, float>({sound, changed, padded, sound, changed})},
        {"audio_length", column<arrow::Int64Builder, int64_t>({1000, 1000, 1000, 1000, 1000})},
        {"labels",
         list_column<arrow::Int64Builder, int64_t>({{-100, 2}, {-100, 2}, {-100, -100, 2}, {-100, 3}, {-100, 2}})}}});
  const auto found = find_duplicates(mdl::worker::dataset::DatasetFolder(folder.path()));
  REQUIRE(found.size() == 3);
  CHECK((found[0].row == 2 && found[0].earlier == 0 && found[0].same_text));
  CHECK((found[1].row == 3 && found[1].earlier == 0 && !found[1].same_text));
  CHECK((found[2].row == 4 && found[2].earlier == 1 && found[2].same_text));
  CHECK_THAT(describe_duplicates(found),
             Catch::StartsWith("2 rows have the sound and the text of an earlier one: 2 (as 0), 4 (as 1)\n") &&
                 Catch::EndsWith("1 row has the sound of an earlier one, and another text: 3 (as 0)"));
}

TEST_CASE("a long list of duplicates is cut, and none is none") {
  CHECK(describe_duplicates({}) == "none");
  std::vector<Duplicate> many;
  for (int row = 1; row < 10; ++row) { many.push_back({row, 0, true}); }
  CHECK_THAT(describe_duplicates(many), Catch::EndsWith("5 (as 0) and 4 more"));
}

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/dataset_files.hpp"
#include "worker/data/dataset_folder.hpp"

using namespace mdl;
using namespace mdl::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// The message of opening a dataset of these columns.
std::string refusal(const Columns& columns) {
  const TempDir folder;
  write_dataset(folder.path(), {columns});
  try {
    DatasetFolder dataset(folder.path());
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("rows are read across files, whatever the width of their numbers") {
  const TempDir folder;
  Columns wide = with(two_clips(), "input_ids", list_column<arrow::Int64Builder, int64_t>({{1, 2, 3}, {4, 5}}));
  wide = with(wide, "input_values", list_column<arrow::DoubleBuilder, double>({{0.5, 0, 0, 0}, {1, 2}}));
  write_dataset(folder.path(), {two_clips(), wide});
  const DatasetFolder dataset(folder.path());
  REQUIRE(dataset.size() == 4);

  const Sample second = dataset.sample(1);
  CHECK(second.input_ids == std::vector<int64_t>{8, 9});
  CHECK(second.attention_mask == std::vector<int64_t>{1, 1});
  CHECK(second.labels == std::vector<int64_t>{-100, 9});
  CHECK(second.audio_length == 2);
  CHECK(std::get<0>(second.waveform)[1] == -1.0f);

  const Sample third = dataset.sample(2);
  CHECK(third.input_ids == std::vector<int64_t>{1, 2, 3});
  CHECK(std::get<1>(third.waveform)[0] == 0.5);
  CHECK(sample_count(third.waveform) == 4);
}

TEST_CASE("a missing folder is named") {
  CHECK_THROWS_WITH(DatasetFolder("/no/such/folder"), Contains("/no/such/folder") && Contains("convert-dataset"));
}

TEST_CASE("a folder that is no dataset says what it lacks") {
  const TempDir folder;
  CHECK_THROWS_WITH(DatasetFolder(folder.path()), Contains("no state.json"));
  write_text_atomically(folder.path() / "dataset_dict.json", "{}");
  CHECK_THROWS_WITH(DatasetFolder(folder.path()), Contains("several splits"));
}

TEST_CASE("a missing column is named with the columns that are there") {
  Columns columns = two_clips();
  columns.erase(columns.begin() + 4);
  CHECK_THAT(refusal(columns), Contains("no column \"labels\"") && Contains("input_values") && Contains(".arrow"));
}

TEST_CASE("a mistyped column is named with its type") {
  CHECK_THAT(
      refusal(with(two_clips(), "input_values", list_column<arrow::Int32Builder, int32_t>({{1, 2, 3, 4}, {1, 2}}))),
      Contains("input_values") && Contains("int32") && Contains("float32"));
  CHECK_THAT(refusal(with(two_clips(), "audio_length", column<arrow::StringBuilder, std::string>({"2", "2"}))),
             Contains("audio_length") && Contains("string"));
}

TEST_CASE("a row that makes no sense is named") {
  CHECK_THAT(refusal(with(two_clips(), "input_values", list_column<arrow::FloatBuilder, float>({{1, 1}, {}}))),
             Contains("row 1") && Contains("input_values") && Contains("zero samples"));
  CHECK_THAT(refusal(with(two_clips(), "audio_length", column<arrow::Int64Builder, int64_t>({0, 2}))),
             Contains("row 0") && Contains("audio_length") && Contains("zero samples"));
  CHECK_THAT(refusal(with(two_clips(), "audio_length", column<arrow::Int64Builder, int64_t>({2, 3}))),
             Contains("row 1") && Contains("3 samples") && Contains("only 2"));
  CHECK_THAT(refusal(with(two_clips(), "labels", list_column<arrow::Int64Builder, int64_t>({{1}, {1, 2}}))),
             Contains("row 0") && Contains("labels") && Contains("1 values for 3 tokens"));
}

TEST_CASE("a truncated file is an error at every length") {
  const TempDir folder;
  write_dataset(folder.path(), {two_clips()});
  const fs::path file = folder.path() / "data-00000-of-00001.arrow";
  const auto whole = fs::file_size(file);
  for (auto size = whole; size-- > 0;) {
    fs::resize_file(file, size);
    CAPTURE(size, whole);
    CHECK_THROWS_WITH(DatasetFolder(folder.path()), Contains(file.string()));
  }
}

TEST_CASE("a file that state.json lists but is not there is named") {
  const TempDir folder;
  write_dataset(folder.path(), {two_clips()});
  fs::remove(folder.path() / "data-00000-of-00001.arrow");
  CHECK_THROWS_WITH(DatasetFolder(folder.path()), Contains("data-00000-of-00001.arrow") && Contains("no such file"));
}

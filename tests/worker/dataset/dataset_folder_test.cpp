#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/dataset_files.hpp"
#include "worker/dataset/dataset_folder.hpp"

using namespace mdl;
using namespace mdl::worker::dataset;
using namespace mdl::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// The message of opening a dataset of these columns.
std::string refusal(const Columns& columns) {
  const TempDir folder;
  write_dataset(folder.path(), {columns});
  try {
    DatasetFolder dataset(folder.path());
  } catch (const UsageError& error) { return error.what(); }
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

TEST_CASE("lists and numbers are read in every type that a tool writes them in") {
  const TempDir folder;
  Columns columns = {
      {"input_ids", list_column<arrow::UInt32Builder, uint32_t, arrow::LargeListBuilder>({{5, 6}, {4'000'000'000, 9}})},
      {"attention_mask", list_column<arrow::UInt8Builder, uint8_t>({{0, 1}, {1, 255}})},
      {"input_values",
       list_column<arrow::HalfFloatBuilder, uint16_t>({{0x3800, 0xBC00, 0x0001, 0x8000}, {0x7BFF, 0x7C00}})},
      {"audio_length", column<arrow::UInt64Builder, uint64_t>({2, 2})},
      {"labels", nullptr}};
  const auto labels = std::make_shared<arrow::Int16Builder>();
  arrow::FixedSizeListBuilder pairs(arrow::default_memory_pool(), labels, 2);
  for (const int16_t label : std::initializer_list<int16_t>{-100, 6, -100, 9}) {
    if (label < 0) { arrow_ok(pairs.Append()); }
    arrow_ok(labels->Append(label));
  }
  columns.back().second = *pairs.Finish();
  write_dataset(folder.path(), {columns});
  const DatasetFolder dataset(folder.path());
  const Sample first = dataset.sample(0), second = dataset.sample(1);
  CHECK(second.input_ids == std::vector<int64_t>{4'000'000'000, 9});
  CHECK(second.attention_mask == std::vector<int64_t>{1, 255});
  CHECK(second.labels == std::vector<int64_t>{-100, 9});
  CHECK(second.audio_length == 2);
  const auto wave = std::get<std::span<const Float16>>(first.waveform);
  CHECK(to_sample(wave[0]) == 0.5F);
  CHECK(to_sample(wave[1]) == -1.0F);
  CHECK(to_sample(wave[2]) == 0x1p-24F);
  CHECK(std::signbit(to_sample(wave[3])));
  const auto ends = std::get<std::span<const Float16>>(second.waveform);
  CHECK(to_sample(ends[0]) == 65504.0F);
  CHECK(std::isinf(to_sample(ends[1])));
}

TEST_CASE("a value that is missing inside a list is named with its row and place") {
  const auto values = std::make_shared<arrow::FloatBuilder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), values);
  for (int row = 0; row < 2; ++row) {
    arrow_ok(lists.Append());
    for (int i = 0; i < 4 - 2 * row; ++i) {
      arrow_ok(row == 1 && i == 1 ? values->AppendNull() : values->Append(0.5F));
    }
  }
  CHECK_THAT(refusal(with(two_clips(), "input_values", *lists.Finish())),
             Contains("row 1") && Contains("input_values") && Contains("value 1 of the list is missing"));
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
  REQUIRE(::mkfifo((folder.path() / "data-00000-of-00001.arrow").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(DatasetFolder(folder.path()), Contains("it is a named pipe, not a file"));
}

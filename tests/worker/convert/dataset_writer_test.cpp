#include "worker/convert/dataset_writer.hpp"

#include <arrow/api.h>
#include <fcntl.h>
#include <sys/file.h>

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/temp_dir.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/convert/partial_folder.hpp"
#include "worker/convert/shard_plan.hpp"
#include "worker/dataset/fingerprint.hpp"
#include "worker/dataset/parallel.hpp"

namespace fs = std::filesystem;
using namespace mdl;
using namespace mdl::worker::cli;
using namespace mdl::worker::convert;
using namespace mdl::worker::dataset;

namespace {
std::string text_of(const arrow::RecordBatch& batch, const char* column) {
  return batch.GetColumnByName(column)->ToString();
}

std::vector<std::pair<std::size_t, std::size_t>> plan(const std::vector<std::int64_t>& sizes, std::int64_t limit) {
  std::vector<std::pair<std::size_t, std::size_t>> shards;
  for (const Shard& shard : plan_shards(sizes, limit)) { shards.emplace_back(shard.first, shard.last); }
  return shards;
}
}  // namespace

TEST_CASE("rows of a group are padded: texts on the left, float32 sounds on the right") {
  const auto batch =
      make_record_batch({{{5, 6}, {-100, 6}, {0.5F}}, {{7}, {7}, {0.25F, -1.0F}}}, 9, AudioEncoding::float32);
  REQUIRE(batch->ValidateFull().ok());
  const auto column = [&](const char* name, const char* json, const std::shared_ptr<arrow::DataType>& type) {
    INFO(name << " " << text_of(*batch, name));
    return text_of(*batch, name) == json && batch->GetColumnByName(name)->type()->Equals(type);
  };
  CHECK(column("input_ids", "[\n  [\n    5,\n    6\n  ],\n  [\n    9,\n    7\n  ]\n]", arrow::list(arrow::int32())));
  CHECK(
      column("attention_mask", "[\n  [\n    1,\n    1\n  ],\n  [\n    0,\n    1\n  ]\n]", arrow::list(arrow::int8())));
  CHECK(column("labels", "[\n  [\n    -100,\n    6\n  ],\n  [\n    -100,\n    7\n  ]\n]", arrow::list(arrow::int64())));
  CHECK(column("input_values", "[\n  [\n    0.5,\n    0\n  ],\n  [\n    0.25,\n    -1\n  ]\n]",
               arrow::list(arrow::float32())));
  CHECK(column("audio_length", "[\n  1,\n  2\n]", arrow::int64()));
}

TEST_CASE("16-bit sounds are rounded, clamped and not padded") {
  const auto batch = make_record_batch({{{1}, {1}, {1.0F, -1.0F, 2.0F}}, {{1}, {1}, {-3.0F / 32768, 0.6F / 32768}}}, 0,
                                       AudioEncoding::pcm16);
  CHECK(text_of(*batch, "input_values") ==
        "[\n  [\n    32767,\n    -32768,\n    32767\n  ],\n  [\n    -3,\n    1\n  ]\n]");
}

TEST_CASE("groups go into data files of at most the given size") {
  using Shards = std::vector<std::pair<std::size_t, std::size_t>>;
  CHECK(plan({3, 3, 3}, 6) == Shards{{0, 2}, {2, 3}});
  CHECK(plan({9, 1, 9}, 6) == Shards{{0, 1}, {1, 2}, {2, 3}});
  CHECK(plan({1}, 6) == Shards{{0, 1}});
}

TEST_CASE("a data file that failed halfway is not there") {
  const test::TempDir folder;
  CHECK_THROWS_AS(
      write_shard(folder.path() / "data.arrow", AudioEncoding::float32, [](const auto&) { throw Error("no"); }), Error);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a data file on a full disk is an error with its name") {
  CHECK_THROWS_WITH(write_shard("/proc/mdl/data.arrow", AudioEncoding::float32, [](const auto&) {}),
                    Catch::Contains("/proc/mdl/data.arrow"));
}

TEST_CASE("a pipeline hands items out in order and makes no more than it may") {
  std::atomic<int> waiting{0}, most{0};
  std::vector<std::size_t> indices(200);
  for (std::size_t i = 0; i < indices.size(); ++i) { indices[i] = 1000 - i; }
  OrderedPipeline<std::size_t> pipeline(indices, 3, 2, [&](std::size_t index) {
    most = std::max(most.load(), ++waiting);
    return index;
  });
  for (const std::size_t index : indices) {
    CHECK(pipeline.take() == index);
    --waiting;
  }
  CHECK(most <= 3 + 2 + 1);  // one may be on its way out
}

TEST_CASE("a pipeline's exception comes out in its place, and the pipeline can be left early") {
  OrderedPipeline<int> pipeline({0, 1, 2, 3, 4, 5, 6, 7}, 2, 1, [](std::size_t index) {
    if (index == 1) { throw Error("one"); }
    return static_cast<int>(index);
  });
  CHECK(pipeline.take() == 0);
  CHECK_THROWS_AS(pipeline.take(), Error);
  CHECK(pipeline.take() == 2);
}

TEST_CASE("a later run keeps the data files that would come out the same") {
  const test::TempDir folder;
  const fs::path target = folder.path() / "out/";
  {
    const PartialFolder first(PartialFolder::place_for(target), {{"data-0", "a"}, {"data-1", "b"}});
    for (const char* name : {"data-0", "data-1", "data-1.tmp.77"}) { write_text_atomically(first.path() / name, "x"); }
  }
  PartialFolder second(PartialFolder::place_for(target), {{"data-0", "a"}, {"data-1", "changed"}});
  CHECK(second.has("data-0"));
  CHECK_FALSE(second.has("data-1"));
  CHECK_FALSE(second.has("data-1.tmp.77"));
  second.publish();
  CHECK(fs::exists(folder.path() / "out/data-0"));
  CHECK_FALSE(fs::exists(folder.path() / "out/plan"));
  CHECK_FALSE(fs::exists(folder.path() / "out.partial"));
}

TEST_CASE("publishing replaces an older dataset whole") {
  const test::TempDir folder;
  fs::create_directory(folder.path() / "out");
  write_text_atomically(folder.path() / "out/state.json", "old");
  PartialFolder made(PartialFolder::place_for(folder.path() / "out"), {});
  write_text_atomically(made.path() / "state.json", "new");
  CHECK(read_text(folder.path() / "out/state.json") == "old");
  made.publish();
  CHECK(read_text(folder.path() / "out/state.json") == "new");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("nobody else's files are removed or replaced") {
  const test::TempDir folder;
  fs::create_directory(folder.path() / "out");
  write_text_atomically(folder.path() / "out/thesis.txt", "");
  CHECK_THROWS_AS(PartialFolder::place_for(folder.path() / "out"), UsageError);
  CHECK_THROWS_AS(PartialFolder::place_for(folder.path() / "out/thesis.txt"), UsageError);
  fs::create_directory(folder.path() / "new.partial");
  write_text_atomically(folder.path() / "new.partial/thesis.txt", "");
  CHECK_THROWS_WITH(PartialFolder(PartialFolder::place_for(folder.path() / "new"), {}), Catch::Contains("thesis.txt"));
  CHECK(fs::exists(folder.path() / "new.partial/thesis.txt"));
}

TEST_CASE("two conversions do not write to the same folder") {
  const test::TempDir folder;
  const PartialFolder first(PartialFolder::place_for(folder.path() / "out"), {});
  CHECK_THROWS_WITH(PartialFolder(PartialFolder::place_for(folder.path() / "out"), {}),
                    Catch::Contains("another process"));
}

TEST_CASE("a disk without room is noticed before the work") {
  const test::TempDir folder;
  const PartialFolder made(PartialFolder::place_for(folder.path() / "out"), {});
  made.require_space(1);
  CHECK_THROWS_WITH(made.require_space(INT64_MAX), Catch::Contains("the dataset needs") && Catch::Contains(" free"));
}

TEST_CASE("fingerprints tell parts apart") {
  Fingerprint one, other;
  for (const char* part : {"ab", "c"}) { one.add(std::string_view(part)); }
  for (const char* part : {"a", "bc"}) { other.add(std::string_view(part)); }
  CHECK(one.hex() != other.hex());
  CHECK(one.hex().size() == 16);
}

TEST_CASE("progress says how much is left") {
  CHECK(describe_progress({.what = "Converting", .total = 200}, 50, std::chrono::seconds(10)) ==
        "Converting 50/200 rows [#####...............] 00:10<00:30 5.0 rows/s");
  CHECK(describe_progress({.what = "Converting"}, 0, std::chrono::seconds(0)) ==
        "Converting 0/0 rows [####################] 00:00<00:00 0.0 rows/s");
}

TEST_CASE("what an earlier run did says nothing about the speed of this one") {
  const BarScale scale{.what = "Training", .total = 540, .found = 180, .unit = "steps"};
  CHECK(describe_progress(scale, 190, std::chrono::seconds(10)) ==
        "Training 190/540 steps [#######.............] 00:10<05:50 1.0 steps/s");
  CHECK(describe_progress(scale, 180, std::chrono::seconds(1)) ==
        "Training 180/540 steps [######..............] 00:01<? 0.0 steps/s");
}

TEST_CASE("bytes are shown in a unit that suits their number") {
  const auto shown = [](std::int64_t done, std::int64_t total) {
    return describe_progress({.what = "Loading", .total = total, .unit = "bytes"}, done, std::chrono::seconds(10));
  };
  CHECK(shown(8'275'000'000, 33'100'000'000) == "Loading 8.3/33.1 GB [#####...............] 00:10<00:30 0.8 GB/s");
  CHECK(shown(30'000'000, 60'000'000) == "Loading 30.0/60.0 MB [##########..........] 00:10<00:10 3.0 MB/s");
  CHECK(shown(500, 1000) == "Loading 0.5/1.0 kB [##########..........] 00:10<00:10 0.1 kB/s");
}

#include "worker/training/data/training_data.hpp"

#include <catch2/catch.hpp>

#include <set>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/dataset_files.hpp"

using namespace mdl;
using namespace mdl::worker::training::data;
using namespace mdl::test;
using mdl::worker::dataset::DatasetView;

namespace {

/// A dataset of clips with 1, 2, … `rows` tokens, one more of padding in front of each.
class Clips {
 public:
  explicit Clips(int rows) {
    std::vector<std::vector<int32_t>> ids;
    std::vector<std::vector<int8_t>> masks;
    std::vector<std::vector<float>> waves;
    std::vector<std::vector<int64_t>> labels;
    for (int row = 1; row <= rows; ++row) {
      const auto tokens = static_cast<std::size_t>(row);
      ids.emplace_back(tokens + 1, row);
      masks.emplace_back(tokens + 1, 1);
      masks.back().front() = 0;
      labels.emplace_back(tokens + 1, 5);
      waves.push_back({0.5F});
    }
    write_dataset(folder_.path(),
                  {{{"input_ids", list_column<arrow::Int32Builder, int32_t>(ids)},
                    {"attention_mask", list_column<arrow::Int8Builder, int8_t>(masks)},
                    {"input_values", list_column<arrow::FloatBuilder, float>(waves)},
                    {"audio_length", column<arrow::Int64Builder, int64_t>(std::vector<int64_t>(waves.size(), 1))},
                    {"labels", list_column<arrow::Int64Builder, int64_t>(labels)}}});
  }

  std::shared_ptr<const worker::dataset::DatasetFolder> open() const {
    return std::make_shared<const worker::dataset::DatasetFolder>(folder_.path());
  }

 private:
  TempDir folder_;
};

std::set<int64_t> tokens_of(const DatasetView& view) {
  std::set<int64_t> all;
  for (int64_t row = 0; row < view.size(); ++row) { all.insert(worker::dataset::token_count(view.sample(row))); }
  return all;
}

}  // namespace

TEST_CASE("rows that are too long are left out and counted; padding does not make a row long") {
  const Clips clips(10), others(4);
  const DatasetView train(DatasetView::Folders{clips.open()}), eval(DatasetView::Folders{others.open()});
  const TrainingData data = choose_rows(train, eval, {.max_length = 3});
  CHECK(tokens_of(data.train) == std::set<int64_t>{1, 2, 3});
  CHECK(tokens_of(*data.eval) == std::set<int64_t>{1, 2, 3});
  CHECK(data.too_long == 8);
  CHECK(choose_rows(train, eval, {}).train.size() == 10);
  const DatasetView both(DatasetView::Folders{others.open(), clips.open()});
  CHECK_THROWS_WITH(choose_rows(both, std::nullopt, {.max_length = 0}), Catch::Contains("leaves no row"));
}

TEST_CASE("a split takes its part of each set, the same for the same seed, and no row is on both sides") {
  const Clips clips(25), others(7);
  const DatasetView both(DatasetView::Folders{clips.open(), others.open()});
  const DataChoice choice{.eval_split = 0.1, .seed = 42};
  const TrainingData data = choose_rows(both, std::nullopt, choice);
  CHECK(data.train.part_sizes() == std::vector<int64_t>{22, 6});
  CHECK(data.eval->part_sizes() == std::vector<int64_t>{3, 1});
  std::set<std::string> places;
  for (const DatasetView* view : {&data.train, &*data.eval}) {
    for (int64_t row = 0; row < view->size(); ++row) { places.insert(view->describe(row)); }
  }
  CHECK(places.size() == 32);
  const auto eval_of = [&](uint64_t seed) {
    return tokens_of(*choose_rows(both, std::nullopt, {.eval_split = 0.1, .seed = seed}).eval);
  };
  CHECK(eval_of(42) == tokens_of(*data.eval));
  CHECK(eval_of(43) != tokens_of(*data.eval));

  const Clips one(1);
  CHECK_THROWS_WITH(choose_rows(DatasetView(DatasetView::Folders{one.open()}), std::nullopt, choice),
                    Catch::Contains("leaves nothing to train on of 1 row"));
}

TEST_CASE("a split is of the rows that are short enough") {
  const Clips clips(40);
  const TrainingData data = choose_rows(DatasetView(DatasetView::Folders{clips.open()}), std::nullopt,
                                        {.max_length = 20, .eval_split = 0.25, .seed = 1});
  CHECK(data.train.size() == 15);
  CHECK(data.eval->size() == 5);
  CHECK(*tokens_of(*data.eval).rbegin() <= 20);
}

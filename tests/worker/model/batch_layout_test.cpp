#include <c10/util/Logging.h>

#include <catch2/catch.hpp>  // after LibTorch, which has a CHECK as well

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/layers/attention.hpp"

using Catch::Contains;
using mdl::test::TempDir;
using mdl::test::tiny_batch;
using mdl::test::tiny_config_json;

namespace {

mdl::worker::model::ModelConfig tiny_config() {
  const TempDir dir;
  return mdl::test::write_config_and_load(dir.path(), tiny_config_json());
}

mdl::worker::model::BatchLayout plan(const mdl::worker::batch::Batch& batch,
                                     const mdl::worker::model::ModelConfig& config) {
  return mdl::worker::model::plan_batch(batch, config, 1 + batch.input_values.size(1) / config.audio.hop_length);
}

}  // namespace

TEST_CASE("packed tokens are the real ones, with their columns as positions") {
  const auto config = tiny_config();
  const mdl::worker::batch::Batch batch = tiny_batch(config);  // rows of 7 and 9 tokens
  const auto layout = plan(batch, config);
  CHECK(layout.row_lengths == std::vector<int64_t>{7, 9});
  CHECK(layout.token_index.front() == 2);
  CHECK(layout.positions == std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(layout.audio_rows == std::vector<int64_t>{2, 9, 10, 11});
  CHECK(layout.predicting_rows == std::vector<int64_t>{3, 4, 5, 12, 13, 14});
  CHECK(layout.targets == std::vector<int64_t>{4, 5, 6, 5, 6, 7});
}

TEST_CASE("a clip is cut into pieces, equal ones side by side, and only what is used is computed") {
  const auto config = tiny_config();  // pieces of 10 patches
  const auto layout = plan(tiny_batch(config), config);
  // Row 0: 4000 samples = 6 patches, one token; row 1: 9600 samples = 15 patches, 61 frames, three tokens.
  REQUIRE(layout.pieces.size() == 3);
  CHECK(layout.pieces[0].clip == 1);
  CHECK(layout.pieces[0].patches == 10);
  CHECK(layout.pieces[1].clip == 0);
  CHECK(layout.pieces[1].patches == 6);
  CHECK(layout.pieces[2].first_patch == 10);
  CHECK(layout.pieces[2].patches == 5);
  CHECK(layout.folded_patches == std::vector<int64_t>{10, 11, 12, 13, 14,  // row 0
                                                      0,  1,  2,  3,  4,  5, 6, 7, 8, 9, 16, 17, 18, 19, 20});
}

TEST_CASE("a patch past the clip's end is computed when a token folds it, and seen by none") {
  const auto config = tiny_config();
  mdl::worker::batch::Batch batch = tiny_batch(config);
  // 39 hops: 9 whole patches, but the processor counts 40 frames, so two tokens fold ten patches.
  batch.audio_length[0] = 39 * 160;
  batch.input_ids[0][1] = config.audio_token_id;
  batch.attention_mask[0][1] = 1;
  const auto layout = plan(batch, config);
  const auto piece =
      std::find_if(layout.pieces.begin(), layout.pieces.end(), [](const auto& p) { return p.clip == 0; });
  REQUIRE(piece != layout.pieces.end());
  CHECK(piece->patches == 10);
  CHECK(piece->keys == 9);
}

TEST_CASE("neighbours of equal sizes are one group") {
  const auto groups = mdl::worker::layers::group_sequences({5, 5, 3, 5}, {5, 5, 2, 5});
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].count == 2);
  CHECK(groups[1].keys == 2);
  CHECK(groups[2].count == 1);
}

TEST_CASE("a batch that makes no sense is an error that names the row") {
  const auto config = tiny_config();
  const auto error_of = [&](const std::function<void(mdl::worker::batch::Batch&)>& spoil) -> std::string {
    mdl::worker::batch::Batch batch = tiny_batch(config);
    spoil(batch);
    try {
      plan(batch, config);
    } catch (const mdl::Error& error) { return error.what(); }
    return "no error";
  };
  CHECK(error_of([](auto&) {}) == "no error");
  CHECK_THAT(error_of([](auto& b) { b.input_ids[1][0] = 50; }), Contains("row 1") && Contains("token id 50"));
  CHECK_THAT(error_of([](auto& b) { b.labels[1][8] = -7; }), Contains("row 1") && Contains("label -7"));
  CHECK_THAT(error_of([](auto& b) { b.input_ids[1][0] = 49; }), Contains("row 1") && Contains("places for 4"));
  CHECK_THAT(error_of([](auto& b) { b.attention_mask[0].zero_(); }), Contains("row 0 has no token"));
  CHECK_THAT(error_of([](auto& b) { b.audio_length[0] = 0; }), Contains("row 0") && Contains("audio_length is 0"));
  CHECK_THAT(error_of([](auto& b) { b.audio_length[0] = 9601; }), Contains("audio_length is 9601"));
  CHECK_THAT(error_of([](auto& b) {
               b.input_values = b.input_values.narrow(1, 0, 3000);
               b.audio_length.fill_(3000);
             }),
             Contains("too short for an audio token"));
  CHECK_THAT(error_of([](auto& b) { b.labels = b.labels.to(at::kInt); }), Contains("labels must be int64"));
  CHECK_THAT(error_of([](auto& b) { b.attention_mask = b.attention_mask.narrow(1, 0, 3); }),
             Contains("attention_mask has shape [2, 3]"));
}

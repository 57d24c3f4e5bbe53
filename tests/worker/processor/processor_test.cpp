#include "worker/processor/processor.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using mdl::worker::processor::AudioSettings;
using mdl::worker::processor::expand_audio_tokens;

TEST_CASE("each audio token is repeated for its own clip") {
  AudioSettings settings;
  settings.audio_token = "A";
  settings.audio_bos_token = "[";
  settings.audio_eos_token = "]";
  CHECK(expand_audio_tokens("x[A]y[A]", {16000, 1}, settings) == "x[AAAAA]y[A]");
  CHECK(expand_audio_tokens("xAy", {9600}, settings) == "x[AAA]y");  // the marks are added where there are none
  CHECK(expand_audio_tokens("xy", {}, settings) == "xy");
  CHECK_THROWS_WITH(expand_audio_tokens("AA", {1}, settings), Catch::Contains("more than 1"));
  CHECK_THROWS_WITH(expand_audio_tokens("x", {1}, settings), Catch::Contains("for 1 sounds"));
}

TEST_CASE("audio settings come from the processor's file, else from the feature extractor's") {
  const mdl::test::TempDir folder;
  const auto put = [&](const char* name, const std::string& text) {
    mdl::write_text_atomically(folder.path() / name, text);
  };
  put("config.json", R"({"subsample_factor": 4})");
  put("preprocessor_config.json",
      R"({"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": false, "sampling_rate": 8000})");
  AudioSettings settings = AudioSettings::load(folder.path());
  CHECK(settings.sample_rate == 8000);
  CHECK(settings.subsampling == 4);
  put("processor_config.json",
      R"({"audio_token": "<a>", "model_subsampling": 3, "feature_extractor": {"do_normalize": false}})");
  settings = AudioSettings::load(folder.path());
  CHECK(settings.sample_rate == 16000);
  CHECK(settings.subsampling == 3);
  CHECK(settings.audio_token == "<a>");
  put("processor_config.json", R"({"feature_extractor": {"feature_extractor_type": "Wav2Vec2FeatureExtractor"}})");
  CHECK_THROWS_WITH(AudioSettings::load(folder.path()),
                    Catch::Contains("do_normalize") && Catch::Contains("processor_config.json"));
}

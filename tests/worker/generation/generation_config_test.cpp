#include "worker/generation/generation_config.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using Catch::Contains;
using mdl::worker::generation::load_generation_config;

namespace {

mdl::worker::generation::GenerationConfig config_of(const std::string& json) {
  const mdl::test::TempDir folder;
  mdl::write_text_atomically(folder.path() / "generation_config.json", json);
  return load_generation_config(folder.path());
}

}  // namespace

TEST_CASE("sampling settings and ends are read, with transformers' defaults for the rest") {
  const auto config =
      config_of(R"({"do_sample": true, "temperature": 0.7, "top_p": 0.8, "eos_token_id": [5, 6], "pad_token_id": 1})");
  CHECK(config.do_sample);
  CHECK(config.temperature == 0.7);
  CHECK(config.top_k == 50);
  CHECK(config.top_p == 0.8);
  CHECK(config.repetition_penalty == 1);
  CHECK(config.eos_token_ids == std::vector<int64_t>{5, 6});
  CHECK(!config.max_new_tokens);
  CHECK(config.notes.empty());
}

TEST_CASE(
    "what transformers would do and this program does not is refused by name, but for values that ask for nothing") {
  CHECK_THROWS_WITH(config_of(R"({"num_beams": 4})"), Contains("num_beams") && Contains("4"));
  CHECK_THROWS_WITH(config_of(R"({"stop_strings": ["x"]})"), Contains("stop_strings"));
  CHECK_THROWS_WITH(config_of(R"({"no_repeat_ngram_size": 3})"), Contains("no_repeat_ngram_size"));
  CHECK_THROWS_WITH(config_of(R"({"typical_p": 0.9})"), Contains("typical_p"));
  CHECK_NOTHROW(config_of(R"({"num_beams": 1, "stop_strings": null, "no_repeat_ngram_size": 0, "typical_p": 1.0})"));
}

TEST_CASE("values that make no sense are refused") {
  CHECK_THROWS_WITH(config_of(R"({"do_sample": true, "temperature": 0.0})"), Contains("temperature"));
  CHECK_THROWS_WITH(config_of(R"({"top_p": 1.5})"), Contains("top_p"));
  CHECK_THROWS_WITH(config_of(R"({"eos_token_id": "end"})"), Contains("eos_token_id"));
  CHECK_THROWS_WITH(config_of(R"({"repetition_penalty": 0})"), Contains("repetition_penalty"));
  CHECK_THROWS_WITH(config_of("{"), Contains("not valid JSON"));
}

TEST_CASE("settings without effect are told") {
  const auto config = config_of(R"({"temperature": 0.7, "chat_format": "chatml"})");
  REQUIRE(config.notes.size() == 2);
  CHECK_THAT(config.notes[0], Contains("temperature") && Contains("do_sample"));
  CHECK_THAT(config.notes[1], Contains("chat_format"));
}

TEST_CASE("without the file config.json says what ends an answer") {
  const mdl::test::TempDir folder;
  mdl::write_text_atomically(folder.path() / "config.json", R"({"text_config": {"eos_token_id": 7}})");
  CHECK(load_generation_config(folder.path()).eos_token_ids == std::vector<int64_t>{7});
  mdl::write_text_atomically(folder.path() / "config.json",
                             R"({"eos_token_id": 8, "text_config": {"eos_token_id": 7}})");
  CHECK(load_generation_config(folder.path()).eos_token_ids == std::vector<int64_t>{8});
}

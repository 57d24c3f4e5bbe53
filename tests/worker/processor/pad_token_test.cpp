#include "worker/processor/pad_token.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using Catch::Contains;
using mdl::worker::processor::find_pad_token;
using mdl::worker::processor::read_pad_token_id;

namespace {

constexpr const char* kTokenizer =
    R"({"added_tokens": [{"id": 7, "content": "<pad>"}], "model": {"vocab": {"<end>": 3}}})";

struct Checkpoint {
  void put(const char* name, const std::string& text) const { mdl::write_text_atomically(folder.path() / name, text); }
  std::int64_t pad_token() const { return read_pad_token_id(folder.path()); }

  mdl::test::TempDir folder;
};

}  // namespace

TEST_CASE("text is padded with the pad token, else with the end of a sequence") {
  const Checkpoint checkpoint;
  checkpoint.put("tokenizer.json", kTokenizer);
  checkpoint.put("tokenizer_config.json", R"({"pad_token": {"content": "<pad>"}, "eos_token": "<end>"})");
  CHECK(checkpoint.pad_token() == 7);
  checkpoint.put("tokenizer_config.json", R"({"pad_token": "<unknown>", "eos_token": "<end>"})");
  CHECK(checkpoint.pad_token() == 3);
  checkpoint.put("tokenizer_config.json", R"({"pad_token": null, "eos_token": "<end>"})");
  checkpoint.put("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  CHECK(checkpoint.pad_token() == 7);
}

TEST_CASE("a checkpoint without a pad token is wrong input, whoever asks") {
  const Checkpoint checkpoint;
  checkpoint.put("tokenizer.json", kTokenizer);
  CHECK_THROWS_AS(checkpoint.pad_token(), mdl::UsageError);  // no tokenizer_config.json
  checkpoint.put("tokenizer_config.json", R"({"bos_token": "<pad>"})");
  CHECK_THROWS_AS(checkpoint.pad_token(), mdl::UsageError);
  CHECK_THROWS_WITH(checkpoint.pad_token(), Contains("names no pad token"));
  const auto none = [](const std::string&) { return std::nullopt; };
  CHECK_THROWS_AS(find_pad_token(checkpoint.folder.path(), none), mdl::UsageError);
  checkpoint.put("tokenizer_config.json", "{");
  CHECK_THROWS_AS(checkpoint.pad_token(), mdl::UsageError);
  CHECK_THROWS_WITH(checkpoint.pad_token(), Contains("tokenizer_config.json is not valid JSON"));
}

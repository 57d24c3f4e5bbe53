#include "worker/trained_checkpoint.hpp"

#include <catch2/catch.hpp>

#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using Catch::Contains;
using Catch::StartsWith;
using mdl::test::TempDir;
using mdl::test::tiny_config_json;
using mdl::worker::tell_trainable;

TEST_CASE("what info says of a checkpoint follows from its configuration, tokenizer and the weights' headers") {
  const TempDir dir;
  const std::string as_far = "trainable: yes, as far as config.json tells: the weights are not here";
  mdl::test::write_config_and_load(dir.path(), tiny_config_json());
  CHECK(tell_trainable(dir.path()) == as_far);
  auto alone = tiny_config_json();
  alone.erase("audio_token_id");  // which the tokenizer would tell
  mdl::write_text_atomically(dir.path() / "config.json", alone.dump());
  CHECK(tell_trainable(dir.path()) == as_far);
  mdl::test::write_checkpoint(dir.path(), tiny_config_json());
  CHECK_THAT(tell_trainable(dir.path()), StartsWith("trainable: no, because ") && Contains("tokenizer"));
  mdl::write_text_atomically(dir.path() / "tokenizer.json", R"({"model": {"vocab": {"<pad>": 3}}})");
  mdl::write_text_atomically(dir.path() / "tokenizer_config.json", R"({"pad_token": "<pad>"})");
  CHECK(tell_trainable(dir.path()) == "trainable: yes");

  auto other = tiny_config_json();
  other["text_config"]["intermediate_size"] = 25;
  mdl::test::write_config_and_load(dir.path(), other);
  CHECK_THAT(tell_trainable(dir.path()),
             StartsWith("trainable: no, because ") && Contains("up_proj.weight is [24, 16], must be [25, 16]"));
  other["quantization_config"] = {{"quant_method", "awq"}};
  mdl::write_text_atomically(dir.path() / "config.json", other.dump());
  CHECK_THAT(tell_trainable(dir.path()), Contains("awq") && Contains("midashenglm-7b-1021-bf16"));
  std::filesystem::remove(dir.path() / "model.safetensors");
  CHECK_THAT(tell_trainable(dir.path()), StartsWith("trainable: no, because ") && Contains("awq"));
}

#include "worker/model_choice.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using Catch::Contains;
using mdl::test::TempDir;
using mdl::test::tiny_config_json;
using mdl::worker::stored_type;

TEST_CASE("an answer is computed in the type that the configuration names, else in that of the weights") {
  const TempDir dir;
  const auto nothing = nlohmann::json::object();
  mdl::test::write_checkpoint(dir.path(), tiny_config_json(), at::kBFloat16);
  const auto named = [&](const nlohmann::json& top, const nlohmann::json& text) {
    auto config = tiny_config_json();
    config.update(top);
    config["text_config"].update(text);
    mdl::test::write_config_and_load(dir.path(), config);
    return stored_type(dir.path());
  };
  CHECK(named(nothing, nothing) == at::kBFloat16);
  CHECK(named({{"dtype", "float32"}}, nothing) == at::kFloat);
  CHECK(named({{"torch_dtype", "float32"}}, {{"torch_dtype", "bfloat16"}}) == at::kFloat);
  CHECK(named({{"dtype", nullptr}}, {{"torch_dtype", "float32"}}) == at::kFloat);
  CHECK(named({{"dtype", "auto"}}, {{"dtype", nullptr}}) == at::kBFloat16);
  CHECK_THROWS_WITH(named({{"dtype", "float16"}}, nothing), Contains("float16") && Contains("--bf16"));
}

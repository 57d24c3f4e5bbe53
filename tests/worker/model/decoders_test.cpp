#include <catch2/catch.hpp>

#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/model/decoders.hpp"

using mdl::test::TempDir;
using mdl::test::tiny_config_json;
using mdl::worker::adapter::LoraConfig;
using mdl::worker::adapter::Target;

namespace model = mdl::worker::model;

TEST_CASE("a model has the decoder that its text_config names, whose modules are called what the table says") {
  for (const model::DecoderType& type : model::decoder_types()) {
    for (const std::string& model_type : type.model_types) {
      INFO(model_type);
      const TempDir dir;
      const auto config = mdl::test::write_config_and_load(dir.path(), tiny_config_json(model_type));
      CHECK(&model::decoder_type(config.text) == &type);
      const model::MiDashengLM model(config, at::kFloat);
      const auto modules = model.named_modules("", /*include_self=*/false);
      REQUIRE(modules.contains(type.names.embed_tokens));
      CHECK(modules[type.names.embed_tokens] == model.decoder->embed_tokens);
      REQUIRE(modules.contains(type.names.lm_head));
      CHECK(modules[type.names.lm_head] == model.decoder->lm_head);
    }
  }
}

TEST_CASE("in every decoder three linear layers of each layer get adapters, between the embeddings and the head") {
  for (const model::DecoderType& type : model::decoder_types()) {
    INFO(type.model_types.front());
    const TempDir dir;
    const auto config = mdl::test::write_config_and_load(dir.path(), tiny_config_json(type.model_types.front()));
    model::MiDashengLM model(config, at::kFloat);
    LoraConfig lora;
    lora.targets = {Target::decoder, Target::embed_tokens, Target::lm_head};
    mdl::worker::adapter::attach_lora(model, lora, 0);
    const auto parameters = mdl::worker::adapter::lora_parameters(model);
    REQUIRE(std::ssize(parameters) == 1 + 2 * 3 * config.text.num_layers + 1);
    CHECK(parameters.front().first == "base_model.model." + type.names.embed_tokens + ".weight");
    CHECK(parameters.back().first == "base_model.model." + type.names.lm_head + ".weight");
  }
}

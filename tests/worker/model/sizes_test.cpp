#include <catch2/catch.hpp>

#include "worker/adapter/lora.hpp"

namespace {

mdl::worker::model::ModelConfig published_7b() {
  mdl::worker::model::ModelConfig config;
  config.audio.embed_dim = 1280;
  config.audio.depth = 32;
  config.audio.num_heads = 16;
  config.audio.target_length = 1008;
  config.text.hidden_size = 3584;
  config.text.num_layers = 28;
  config.text.intermediate_size = 18944;
  config.text.num_heads = 28;
  config.text.num_kv_heads = 4;
  config.text.head_dim = 128;
  config.text.vocab_size = 152064;
  config.audio_token_id = 151646;
  return config;
}

}  // namespace

TEST_CASE("the 7B model has the published number of parameters, all and trainable at rank 32") {
  mdl::worker::model::MiDashengLM model(published_7b(), at::kBFloat16);
  mdl::worker::adapter::attach_lora(model, {}, 0);
  const auto counts = mdl::worker::adapter::count_parameters(model);
  CHECK(counts.trainable == 68'968'448);
  CHECK(counts.all == 8'350'708'352);
  CHECK(model.device().is_meta());
}

TEST_CASE("the 7B encoder has the published number of tensors") {
  mdl::worker::model::MiDashengLM model(published_7b(), at::kFloat);
  int64_t encoder = 0;
  for (const auto& [layer, slot, name] : mdl::worker::layers::tensor_slots(model)) {
    encoder += name.rfind("audio_encoder.", 0) == 0;
  }
  CHECK(encoder == 397);
}

TEST_CASE("adapters go to the layers that the targets name, and only there") {
  const auto count_with = [](std::set<mdl::worker::adapter::Target> targets) {
    mdl::worker::model::MiDashengLM model(published_7b(), at::kFloat);
    mdl::worker::adapter::LoraConfig lora;
    lora.targets = std::move(targets);
    mdl::worker::adapter::attach_lora(model, lora, 0);
    return mdl::worker::adapter::lora_parameters(model).size();
  };
  CHECK(count_with({mdl::worker::adapter::Target::encoder}) == 2 * 2 * 32);
  CHECK(count_with({mdl::worker::adapter::Target::projector}) == 2 * 2);
  CHECK(count_with({mdl::worker::adapter::Target::decoder}) == 2 * 3 * 28);
}

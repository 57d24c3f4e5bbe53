#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/adapter/adopted_lora.hpp"

using namespace mdl;
using namespace mdl::worker::adapter;
using Catch::Contains;

namespace {

const LinearLayerNames kLayers = {
    .all = {"audio_encoder.blocks.0.attn.qkv", "audio_projector.net.0", "decoder.model.layers.0.mlp.up_proj",
            "decoder.model.layers.0.mlp.down_proj", "decoder.lm_head"},
    .decoder = {},
    .encoder_blocks = "audio_encoder.blocks"};

LoraConfig on_names(std::vector<std::string> names) {
  LoraConfig adapter;
  adapter.rank = 8;
  adapter.alpha = 64;
  adapter.targets = {};
  adapter.layers = LayerSelection{
      .wanted = std::move(names), .excluded = std::vector<std::string>(), .indices = {}, .index_after = {}};
  return adapter;
}

}  // namespace

TEST_CASE("a run that starts from an adapter takes over what the adapter says") {
  LoraConfig adapter = on_names({"up_proj"});
  adapter.rank_stabilized = true;
  adapter.dropout = 0.1;
  adapter.rank_pattern = {{"up_proj", 4}};
  CHECK((adopt_lora({}, adapter, "a.json", kLayers) == adapter));
  CHECK_THAT(describe(adapter), Contains("rank 8, alpha 64 (rslora), rank 4 on up_proj, dropout 0.1, on up_proj"));
}

TEST_CASE("a long list of patterns is told by its length") {
  LoraConfig adapter = on_names({"up_proj"});
  for (int i = 0; i < 5; ++i) { adapter.alpha_pattern.emplace_back("layer", i); }
  CHECK_THAT(describe(adapter), Contains("alpha 64, another alpha in 5 places, dropout"));
}

TEST_CASE("options that say the same as the adapter are no contradiction") {
  const LoraConfig adapter = on_names({"up_proj", "down_proj"});
  const GivenLora given{.rank = 8, .alpha = 64, .dropout = 0, .targets = std::set{Target::decoder}};
  CHECK((adopt_lora(given, adapter, "a.json", kLayers) == adapter));
}

TEST_CASE("an adapter on the blocks of another encoder is no adapter on this one's") {
  LoraConfig adapter;
  LinearLayerNames deeper = kLayers;
  deeper.all.front() = "audio_encoder.model.blocks.0.attn.qkv";
  deeper.encoder_blocks = "audio_encoder.model.blocks";
  GivenLora given;
  given.targets = adapter.targets;
  CHECK_THROWS_WITH(adopt_lora(given, adapter, "a.json", deeper), Contains("--train-target encoder,projector,decoder"));
  CHECK(resumed_lora(given, adapter, deeper).encoder_blocks == deeper.encoder_blocks);
  adapter.encoder_blocks = deeper.encoder_blocks;
  CHECK((adopt_lora(given, adapter, "a.json", deeper) == adapter));
  CHECK(describe_layers(adapter) == "encoder,projector,decoder (encoder: audio_encoder.model.blocks)");
}

TEST_CASE("dropout is a run's own where it is given") {
  LoraConfig adapter = on_names({"up_proj"});
  adapter.dropout = 0.1;
  CHECK(adopt_lora({.rank = {}, .alpha = {}, .dropout = 0.5, .targets = {}}, adapter, "a.json", kLayers).dropout ==
        0.5);
  CHECK(adopt_lora({}, adapter, "a.json", kLayers).dropout == 0.1);
}

TEST_CASE("every option that contradicts the adapter is named with both values") {
  const LoraConfig adapter = on_names({"up_proj"});
  const GivenLora given{.rank = 4, .alpha = 16, .dropout = {}, .targets = std::set{Target::decoder}};
  CHECK_THROWS_WITH(adopt_lora(given, adapter, "a.json", kLayers),
                    Contains("a.json") && Contains("--lora-rank 4, but there it is 8") &&
                        Contains("--lora-alpha 16, but there it is 64") &&
                        Contains("--train-target decoder, but there it is up_proj"));
  LoraConfig whole = on_names({"up_proj", "down_proj"});
  whole.targets = {Target::lm_head};
  CHECK_THROWS_WITH(adopt_lora({.rank = {}, .alpha = {}, .dropout = {}, .targets = std::set{Target::decoder}}, whole,
                               "a.json", kLayers),
                    Contains("down_proj") && Contains("lm_head"));
}

TEST_CASE("an adapter on the head is refused, for the loss has no place for it") {
  CHECK_THROWS_WITH(adopt_lora({}, on_names({"lm_head"}), "a.json", kLayers), Contains("decoder.lm_head"));
}

TEST_CASE("a run that may go on is compared with the adapter's settings, but for what the command line says") {
  LoraConfig adapter = on_names({"up_proj"});
  adapter.rank_stabilized = true;
  CHECK((resumed_lora({}, adapter, kLayers) == adapter));
  GivenLora given;
  given.rank = 16;
  given.targets = std::set{Target::projector};
  const LoraConfig otherwise = resumed_lora(given, adapter, kLayers);
  CHECK(otherwise.rank == 16);
  CHECK(otherwise.alpha == 64);
  CHECK(otherwise.rank_stabilized);
  CHECK_FALSE(otherwise.layers.has_value());
  CHECK((otherwise.targets == std::set{Target::projector}));
}

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/adapter/adapter_plan.hpp"

using namespace mdl;
using namespace mdl::worker::adapter;
using Catch::Contains;
using nlohmann::json;

namespace {

AdapterConfig parse(json changes, AdapterUse use = AdapterUse::training) {
  json document = {{"peft_type", "LORA"}, {"r", 8}, {"lora_alpha", 16}, {"target_modules", {"qkv", "up_proj"}}};
  document.update(changes);
  return parse_adapter_config(document.dump(), "adapter_config.json", use);
}

}  // namespace

TEST_CASE("what an adapter's configuration leaves out is PEFT's default") {
  const LoraConfig lora = parse_adapter_config(R"({"peft_type": "LORA", "target_modules": ["qkv"]})",
                                               "adapter_config.json", AdapterUse::training)
                              .lora;
  CHECK(lora.rank == 8);
  CHECK(lora.alpha == 8);
  CHECK(lora.dropout == 0);
  CHECK_FALSE(lora.rank_stabilized);
  CHECK(lora.targets.empty());
}

TEST_CASE("an adapter on what --train-target names is known by these names") {
  const std::set<Target> targets{Target::encoder, Target::decoder, Target::lm_head};
  const LoraConfig lora =
      parse({{"target_modules", target_modules_pattern(targets, {})}, {"modules_to_save", {"lm_head"}}}).lora;
  CHECK((lora.targets == targets));
  CHECK_FALSE(lora.layers.has_value());
}

TEST_CASE("an adapter on an encoder's blocks is known by them wherever they lie") {
  LoraConfig lora;
  lora.encoder_blocks = "audio_encoder.model.blocks";
  const std::string text = adapter_config_text(lora, std::filesystem::path("base"), {});
  CHECK(json::parse(text).at("target_modules") ==
        R"(^audio_encoder\.model\.blocks\.\d+\.attn\.(qkv|proj)$|^audio_projector\.net\.(0|2)$)"
        R"(|^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$)");
  const LoraConfig again = parse_adapter_config(text, "adapter_config.json", AdapterUse::training).lora;
  CHECK((again == lora));
  const auto adapts = [](const LoraConfig& on, const char* name) { return AdapterPlan(on, {}).adapts(name); };
  CHECK(adapts(again, "audio_encoder.model.blocks.3.attn.qkv"));
  CHECK_FALSE(adapts(again, "audio_encoder.blocks.3.attn.qkv"));
  // What the 7B's expression says, as PEFT reads it: on other blocks it selects nothing.
  const LoraConfig plain = parse({{"target_modules", target_modules_pattern({Target::encoder}, {})}}).lora;
  CHECK((plain.targets == std::set{Target::encoder}));
  CHECK_FALSE(adapts(plain, "audio_encoder.model.blocks.3.attn.qkv"));
  for (const char* other : {R"(^audio_encoder\..*\.\d+\.attn\.(qkv|proj)$)", R"(\.\d+\.attn\.(qkv|proj)$)"}) {
    CHECK(parse({{"target_modules", other}}).lora.layers.has_value());
  }
}

TEST_CASE("what is written of an adapter is read as the same") {
  LoraConfig lora;
  lora.rank = 4;
  lora.alpha = 2.5;
  lora.dropout = 0.25;
  lora.targets = {Target::embed_tokens};
  lora.rank_stabilized = true;
  lora.rank_pattern = {{"up_proj", 3}, {"layers.1.mlp.down_proj", 2}, {"a", 1}};  // in this order, not the alphabet's
  lora.alpha_pattern = {{"qkv", 7.5}};
  lora.layers = LayerSelection{.wanted = std::vector<std::string>{"down_proj", "up_proj"},
                               .excluded = std::string(R"(.*\.0\..*)"),
                               .indices = {1, 3},
                               .index_after = {"layers"}};
  const LoraConfig fresh;
  for (const LoraConfig& config : {lora, fresh}) {
    const std::string text = adapter_config_text(config, std::filesystem::path("base"), {});
    const AdapterConfig again = parse_adapter_config(text, "adapter_config.json", AdapterUse::training);
    CHECK((again.lora == config));
    CHECK(again.base_model == std::filesystem::absolute("base"));  // from whatever folder it is read
  }
}

TEST_CASE("modules are called in adapter_config.json what they are called in the model's decoder") {
  const worker::model::DecoderNames decoder{.embed_tokens = "decoder.transformer.wte",
                                            .lm_head = "decoder.head",
                                            .target_modules = R"(^decoder\.transformer\.h\.\d+\.mlp$)"};
  LoraConfig lora;
  lora.targets = {Target::decoder, Target::embed_tokens, Target::lm_head};
  const json written = json::parse(adapter_config_text(lora, std::filesystem::path("base"), decoder));
  CHECK(written["target_modules"] == decoder.target_modules);
  CHECK(written["exclude_modules"] == json({"head"}));
  CHECK(written["modules_to_save"] == json({"wte", "head"}));
  const AdapterPlan plan(lora, decoder);
  CHECK(plan.adapts("decoder.transformer.h.0.mlp"));
  CHECK_FALSE(plan.adapts("decoder.model.layers.0.mlp.up_proj"));
}

TEST_CASE("of several patterns that fit a layer the first counts, and it fits the end of the name") {
  LoraConfig lora;
  lora.rank = 8;
  lora.alpha = 16;
  lora.rank_pattern = {{R"(layers\.1\.mlp\.(up|gate)_proj)", 2}, {"up_proj", 4}, {"^decoder.model", 1}};
  lora.alpha_pattern = {{"mlp.up_proj", 3}};
  const AdapterPlan plan(lora, {});
  CHECK(plan.rank("decoder.model.layers.1.mlp.up_proj") == 2);
  CHECK(plan.rank("decoder.model.layers.11.mlp.up_proj") == 4);
  CHECK(plan.rank("decoder.model.layers.1.mlp.big_up_proj") == 8);
  CHECK(plan.scaling("decoder.model.layers.1.mlp.up_proj") == 1.5);
  CHECK(plan.scaling("decoder.model.layers.1.mlp.gate_proj") == 8);
  lora.rank_stabilized = true;
  CHECK(AdapterPlan(lora, {}).scaling("decoder.model.layers.2.mlp.up_proj") == 1.5);  // 3 / sqrt(4)
}

TEST_CASE("layers are chosen by name, index and exception") {
  const auto adapts = [](const LoraConfig& lora, const char* name) { return AdapterPlan(lora, {}).adapts(name); };
  LoraConfig lora = parse({{"target_modules", {"qkv", "net.0"}}, {"exclude_modules", {"blocks.1.attn.qkv"}}}).lora;
  CHECK(adapts(lora, "audio_encoder.blocks.0.attn.qkv"));
  CHECK_FALSE(adapts(lora, "audio_encoder.blocks.1.attn.qkv"));
  CHECK(adapts(lora, "audio_projector.net.0"));
  CHECK_FALSE(adapts(lora, "audio_projector.other_net.0"));

  lora = parse({{"target_modules", {"up_proj", "qkv"}}, {"layers_to_transform", 1}, {"layers_pattern", "layers"}}).lora;
  CHECK(adapts(lora, "decoder.model.layers.1.mlp.up_proj"));
  CHECK_FALSE(adapts(lora, "decoder.model.layers.0.mlp.up_proj"));
  CHECK_FALSE(adapts(lora, "audio_encoder.blocks.1.attn.qkv"));

  lora = parse({{"target_modules", "decoder.*"}, {"modules_to_save", {"lm_head"}}}).lora;
  CHECK(adapts(lora, "decoder.model.layers.1.mlp.up_proj"));
  CHECK_FALSE(adapts(lora, "decoder.lm_head"));
}

TEST_CASE("an adapter whose base was changed when its training began is refused for every use") {
  const char* start = GENERATE("pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "loftq", "lora_ga", "something");
  for (const AdapterUse use : {AdapterUse::answering, AdapterUse::training}) {
    CHECK_THROWS_WITH(parse({{"init_lora_weights", start}}, use),
                      Contains("adapter_config.json") && Contains("init_lora_weights") && Contains(start));
  }
}

TEST_CASE("starts that leave the base as it was are taken") {
  for (const json& start : {json(true), json(false), json("gaussian"), json("eva"), json("orthogonal")}) {
    CHECK_NOTHROW(parse({{"init_lora_weights", start}}));
  }
}

TEST_CASE("what differs from plain LoRA in training only can be answered with") {
  for (const json& changes : {json{{"init_lora_weights", "mica"}}, json{{"velora_config", {{"scale", 1}}}}}) {
    CHECK_THROWS_AS(parse(changes, AdapterUse::training), UsageError);
    CHECK_NOTHROW(parse(changes, AdapterUse::answering));
  }
}

TEST_CASE("what is not plain LoRA is refused by its name") {
  const std::vector<json> asked = {{{"use_dora", true}},
                                   {{"use_qalora", true}},
                                   {{"use_bdlora", {{"nblocks", 1}}}},
                                   {{"lora_bias", true}},
                                   {{"bias", "all"}},
                                   {{"trainable_token_indices", {1, 2}}},
                                   {{"target_parameters", {"experts"}}},
                                   {{"layer_replication", {{0, 4}, {2, 5}}}},
                                   {{"alora_invocation_tokens", {1}}},
                                   {{"arrow_config", {{"top_k", 3}}}},
                                   {{"kasa_config", {{"beta", 0.1}}}},
                                   {{"monteclora_config", {{"num_samples", 4}}}},
                                   {{"megatron_config", {{"a", 1}}}},
                                   {{"ensure_weight_tying", true}},
                                   {{"peft_type", "ADALORA"}},
                                   {{"modules_to_save", {"norm"}}},
                                   {{"target_modules", "all-linear"}},
                                   {{"target_modules", nullptr}},
                                   {{"r", 0}},
                                   {{"lora_dropout", 1.0}},
                                   {{"rank_pattern", {{"qkv", 0}}}}};
  for (const json& changes : asked) {
    CHECK_THROWS_WITH(parse(changes, AdapterUse::answering), Contains(changes.begin().key()));
  }
}

TEST_CASE("settings of a newer PEFT that ask for something are told, others are not") {
  const json newer = {
      {"use_more", true}, {"use_less", false}, {"more_config", nullptr}, {"more_pattern", json::object()}};
  CHECK(parse(newer).unknown == std::vector<std::string>{"use_more"});
}

TEST_CASE("a regular expression that would mean something else here than in Python is refused") {
  const char* pattern = GENERATE("(", "a{,3}", "[[:alpha:]]");
  LoraConfig lora = parse({{"target_modules", pattern}}).lora;
  CHECK_THROWS_WITH(AdapterPlan(lora, {}), Contains(pattern));
  lora = parse({{"rank_pattern", {{pattern, 2}}}}).lora;
  CHECK_THROWS_AS(AdapterPlan(lora, {}), UsageError);
}

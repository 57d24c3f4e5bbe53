#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using Catch::Contains;
using mdl::test::TempDir;
using mdl::test::tiny_config_json;
using mdl::test::write_config_and_load;
using Json = nlohmann::json;

TEST_CASE("config.json gives the sizes, and the encoder's missing keys are those of the published class") {
  const TempDir dir;
  auto tiny = tiny_config_json();
  tiny["audio_encoder_config"] = {{"embed_dim", 36}, {"patch_size", {64, 4}}};
  const auto config = write_config_and_load(dir.path(), tiny);
  CHECK(config.audio.embed_dim == 36);
  CHECK(config.audio.depth == 12);
  CHECK(config.audio.num_heads == 12);
  CHECK(config.audio.piece_patches() == 253);
  CHECK(config.text.head_dim == 4);
  CHECK(config.text.qkv_bias);
  CHECK(config.audio_token_id == 49);
}

TEST_CASE("what the configuration does not say of the encoder's patches and positions, the weights' shapes do") {
  const TempDir dir;
  mdl::test::write_checkpoint(dir.path(), tiny_config_json());
  auto tiny = tiny_config_json();
  tiny["audio_encoder_config"].erase("target_length");
  tiny["audio_encoder_config"].erase("patch_size");
  const auto config = write_config_and_load(dir.path(), tiny);
  CHECK(config.audio.patch_frames == 4);
  CHECK(config.audio.target_length == 40);
  // Where the weights are still elsewhere, they may say what is supported.
  std::filesystem::remove(dir.path() / "model.safetensors");
  CHECK(mdl::worker::model::load_config(dir.path()).audio.patch_frames == 4);
  CHECK(mdl::worker::model::load_config(dir.path()).audio.target_length == 1012);
}

TEST_CASE("an audio_token_id that is missing is the id of the processor's audio token") {
  const TempDir dir;
  auto tiny = tiny_config_json();
  tiny.erase("audio_token_id");
  const auto put = [&](const char* name, const Json& content) {
    mdl::write_text_atomically(dir.path() / name, content.dump());
  };
  put("tokenizer.json",
      {{"added_tokens", {{{"id", 7}, {"content", "<|AUDIO|>"}}}}, {"model", {{"vocab", {{"a", 3}}}}}});
  CHECK(write_config_and_load(dir.path(), tiny).audio_token_id == 7);
  put("tokenizer_config.json", {{"added_tokens_decoder", {{"9", {{"content", "<|AUDIO|>"}}}}}});
  CHECK(write_config_and_load(dir.path(), tiny).audio_token_id == 9);
  put("processor_config.json", {{"audio_token", "a"}});
  CHECK(write_config_and_load(dir.path(), tiny).audio_token_id == 3);
  put("processor_config.json", {{"audio_token", "b"}});
  CHECK_THROWS_WITH(mdl::worker::model::load_config(dir.path()), Contains("audio_token_id") && Contains("\"b\""));
}

TEST_CASE("a text_config of Qwen2.5-Omni says only what differs from its class, the 7B's") {
  const TempDir dir;
  auto tiny = tiny_config_json();
  tiny["text_config"] = {{"num_hidden_layers", 3}};
  const auto text = write_config_and_load(dir.path(), tiny).text;
  CHECK(text.num_layers == 3);
  CHECK(text.hidden_size == 3584);
  CHECK(text.intermediate_size == 18944);
  CHECK(text.num_heads == 28);
  CHECK(text.num_kv_heads == 4);
  CHECK(text.head_dim == 128);
  CHECK(text.vocab_size == 152064);
  CHECK(text.rope_theta == 1e6);
}

TEST_CASE("the decoder families and ropes that are the same on text are accepted") {
  const TempDir dir;
  for (const char* family : {"qwen2", "qwen2_5_omni_text", "qwen3"}) {
    INFO(family);
    auto tiny = tiny_config_json(family);
    tiny["text_config"]["rope_scaling"] = {{"type", "default"}, {"rope_type", "default"}, {"mrope_section", {1, 1}}};
    const auto config = write_config_and_load(dir.path(), tiny);
    CHECK(config.text.model_type == family);
    CHECK(config.text.qk_norm == (std::string(family) == "qwen3"));
    CHECK(config.text.qkv_bias == (std::string(family) != "qwen3"));
  }
  auto tiny = tiny_config_json();
  tiny["text_config"].erase("rope_theta");
  tiny["text_config"]["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  CHECK(write_config_and_load(dir.path(), tiny).text.rope_theta == 1e6);
}

TEST_CASE("a text_config without a model_type is Qwen2.5-Omni's text model, as in the Python model") {
  const TempDir dir;
  auto tiny = tiny_config_json();
  tiny["text_config"].erase("model_type");
  tiny["text_config"].erase("rope_theta");
  const auto config = write_config_and_load(dir.path(), tiny);
  CHECK(config.text.model_type == "qwen2_5_omni_text");
  CHECK(config.text.qkv_bias);
  CHECK_FALSE(config.text.qk_norm);
  CHECK(config.text.rope_theta == 1e6);
}

TEST_CASE("what config.json gets wrong is said with the key and the reason") {
  const TempDir dir;
  const auto error_of = [&](const std::string& pointer, const Json& value) -> std::string {
    auto config = tiny_config_json();
    if (value == "ERASE") {
      const auto at = Json::json_pointer(pointer);
      config[at.parent_pointer()].erase(at.back());
    } else {
      config[Json::json_pointer(pointer)] = value;
    }
    try {
      write_config_and_load(dir.path(), config);
    } catch (const mdl::Error& error) {
      CHECK(error.exit_code() == mdl::kExitUsage);
      CHECK_THAT(error.what(), Contains((dir.path() / "config.json").string()));
      return error.what();
    }
    return "no error";
  };
  CHECK_THAT(error_of("/text_config", "ERASE"), Contains("\"text_config\" is missing"));
  CHECK_THAT(error_of("/text_config/hidden_size", "ERASE"), Contains("\"text_config.hidden_size\" is missing"));
  CHECK_THAT(error_of("/text_config/hidden_size", "large"), Contains("\"large\"") && Contains("whole number"));
  CHECK_THAT(error_of("/text_config/hidden_size", 0), Contains("at least 1"));
  CHECK_THAT(error_of("/text_config/hidden_size", 1e30), Contains("whole number"));
  CHECK_THAT(error_of("/text_config/vocab_size", uint64_t{1} << 63), Contains("too large"));
  CHECK_THAT(error_of("/text_config/model_type", "llama"), Contains("qwen2, qwen2_5_omni_text and qwen3"));
  CHECK_THAT(error_of("/text_config/num_key_value_heads", 3), Contains("must divide"));
  CHECK_THAT(error_of("/text_config/head_dim", 5), Contains("even"));
  CHECK_THAT(error_of("/text_config/rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}),
             Contains("rope_scaling.rope_type") && Contains("yarn"));
  CHECK_THAT(error_of("/text_config/rope_parameters", {{"rope_type", "linear"}}), Contains("unscaled rope"));
  CHECK_THAT(error_of("/text_config/use_sliding_window", true), Contains("sliding window"));
  CHECK_THAT(error_of("/text_config/layer_types", {"full_attention", "sliding_attention"}), Contains("layer_types"));
  CHECK_THAT(error_of("/text_config/hidden_act", "gelu"), Contains("silu"));
  CHECK_THAT(error_of("/text_config/attention_dropout", 0.1), Contains("must be 0"));
  CHECK_THAT(error_of("/text_config/tie_word_embeddings", "yes"), Contains("true or false"));
  CHECK_THAT(error_of("/audio_encoder_config/num_heads", 3), Contains("must divide embed_dim"));
  CHECK_THAT(error_of("/audio_encoder_config/patch_size", {16, 16}), Contains("n_mels = 64"));
  CHECK_THAT(error_of("/audio_encoder_config/patch_size", 16),
             Contains("\"audio_encoder_config.patch_size\" is 16:") && Contains("n_mels = 64"));
  CHECK_THAT(error_of("/audio_encoder_config/patch_size", {64, 0}), Contains("1 to 4096 frames"));
  CHECK_THAT(error_of("/audio_encoder_config/patch_stride", {64, 2}), Contains("overlapping"));
  CHECK_THAT(error_of("/audio_encoder_config/init_values", 1e-5), Contains("1e-05") && Contains("LayerScale"));
  CHECK_THAT(error_of("/audio_encoder_config", 7), Contains("must be a JSON object"));
  CHECK_THAT(error_of("/audio_token_id", 50), Contains("below vocab_size"));
  CHECK_THAT(error_of("/model_type", "whisper"), Contains("MiDashengLM"));
  for (const char* key : {"/quantization_config", "/text_config/quantization_config", "/compression_config"}) {
    CHECK_THAT(error_of(key, {{"quant_method", "gptq"}}), Contains("gptq") && Contains("midashenglm-7b-1021-bf16"));
  }
}

TEST_CASE("a folder that is no checkpoint is named") {
  const TempDir dir;
  CHECK_THROWS_WITH(mdl::worker::model::load_config(dir.path() / "absent"), Contains("absent"));
  CHECK_THROWS_WITH(mdl::worker::model::load_config(dir.path()), Contains("has no config.json"));
  mdl::write_text_atomically(dir.path() / "adapter_config.json", "{}");
  CHECK_THROWS_WITH(mdl::worker::model::load_config(dir.path()), Contains("adapter"));
  mdl::write_text_atomically(dir.path() / "config.json", "{\"model_type\": ");
  CHECK_THROWS_WITH(mdl::worker::model::load_config(dir.path()), Contains("not valid JSON"));
}

TEST_CASE("a clip becomes as many audio tokens as the processor writes") {
  const mdl::worker::model::ModelConfig config;
  CHECK(mdl::worker::model::audio_token_count(1, config) == 1);
  CHECK(mdl::worker::model::audio_token_count(3200, config) == 1);
  CHECK(mdl::worker::model::audio_token_count(16000, config) == 5);
  CHECK(mdl::worker::model::audio_token_count(160 * 39, config) == 2);
  CHECK(mdl::worker::model::audio_token_count(160 * 39 - 1, config) == 1);
}

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/pretrained.hpp"
#include "worker/automatic_type.hpp"
#include "worker/model/float32_model.hpp"

using Catch::Contains;
using mdl::test::random_weights;
using mdl::test::TempDir;
using mdl::test::tiny_batch;
using mdl::test::tiny_config_json;
using mdl::test::write_config_and_load;
using mdl::worker::model::load_model;
using mdl::worker::tensors::NamedTensors;
using mdl::worker::tensors::save_safetensors;
using Renaming = std::vector<std::pair<std::string, std::string>>;

namespace {

/// A tiny model with the encoder of the 0.6B.
nlohmann::json two_branches_json() {
  nlohmann::json json = tiny_config_json("qwen3", /*tied=*/true);
  json["audio_encoder_config"].update({{"model_type", "midashenglm_dasheng_tokenizer"}, {"n_mels_patch", 20}});
  return json;
}

/// Beginnings of names, changed by the first pair that fits.
NamedTensors renamed(const NamedTensors& tensors, const Renaming& pairs) {
  NamedTensors result;
  for (auto [name, tensor] : tensors) {
    for (const auto& [from, to] : pairs) {
      if (!name.starts_with(from)) { continue; }
      name = to + name.substr(from.size());
      break;
    }
    result.emplace_back(name, tensor);
  }
  return result;
}

std::set<std::string> names_of(const NamedTensors& tensors) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) { names.insert(name); }
  return names;
}

/// The same model in other modules; the first is the public module.
const std::vector<Renaming> kNestings = {
    {},
    {{"audio_encoder.", "audio_encoder.audio_tokenizer.encoder."}},
    {{"audio_encoder.model.init_bn.1.", "audio_encoder.init_bn."},
     {"audio_encoder.model.", "audio_encoder."},
     {"audio_encoder.norm.", "audio_encoder.acoustic_norm."},
     {"audio_encoder.patch_embed.", "audio_encoder.acoustic_patch_embed."}},
};

}  // namespace

TEST_CASE("a model with two branches computes the same in whatever modules its tensors lie, and keeps their names") {
  const TempDir dir;
  const auto config = write_config_and_load(dir.path() / "base", two_branches_json());
  const auto weights = random_weights(config);
  const auto batch = tiny_batch(config);
  std::vector<at::Tensor> losses;
  for (const Renaming& nesting : kNestings) {
    const NamedTensors stored = renamed(weights, nesting);
    save_safetensors(dir.path() / "base" / "model.safetensors", stored);
    const auto model = load_model(dir.path() / "base", at::kFloat, at::kCPU);
    INFO(model->config().audio.names.blocks);
    CHECK(model->names.unused().empty());
    losses.push_back(model->loss_sum(batch));
    CHECK(at::equal(losses.front(), losses.back()));

    mdl::worker::adapter::LoraConfig lora;
    lora.encoder_blocks = model->config().audio.names.blocks;
    mdl::worker::adapter::attach_lora(*model, lora, /*seed=*/1);
    const auto parameters = names_of(mdl::worker::adapter::lora_parameters(*model));
    CHECK(parameters.contains("base_model.model." + lora.encoder_blocks + ".1.attn.qkv.lora_A.weight"));
    mdl::worker::adapter::merge_lora(*model);
    mdl::worker::adapter::save_merged(*model, dir.path() / "base", dir.path() / "final");
    const mdl::worker::tensors::SafetensorsFolder final(dir.path() / "final");
    const auto written = final.names();
    CHECK(std::set(written.begin(), written.end()) == names_of(stored));
  }
}

TEST_CASE("shapes decide the sizes of a model with two branches, whatever its configuration says") {
  const TempDir dir;
  const auto config = write_config_and_load(dir.path(), two_branches_json());
  save_safetensors(dir.path() / "model.safetensors", random_weights(config));
  nlohmann::json json = two_branches_json();
  json["audio_encoder_config"] = {{"num_heads", 2}, {"embed_dim", 1280}, {"n_mels", 100}, {"n_mels_patch", 128}};
  const auto again = write_config_and_load(dir.path(), json).audio;
  CHECK(again.embed_dim == 8);
  CHECK(again.depth == 2);
  CHECK(again.mlp_dim() == 16);
  CHECK(again.n_mels == 64);
  CHECK(again.piece_patches() == 10);
  CHECK(again.acoustic.value().n_mels == 20);
  CHECK(again.acoustic->n_fft == 1024);
  json["audio_encoder_config"]["num_heads"] = 3;
  CHECK_THROWS_WITH(write_config_and_load(dir.path(), json), Contains("num_heads") && Contains("embed_dim = 8"));
}

TEST_CASE("a second branch that is not whole is an error that names the folder and what is missing") {
  const TempDir dir;
  auto weights = random_weights(write_config_and_load(dir.path(), two_branches_json()));
  std::erase_if(weights, [](const auto& item) { return item.first.starts_with("audio_encoder.norm."); });
  save_safetensors(dir.path() / "model.safetensors", weights);
  CHECK_THROWS_WITH(load_model(dir.path(), at::kFloat, at::kCPU),
                    Contains(dir.path().string()) && Contains("norm.{weight,bias} [dim] of the acoustic branch"));
}

TEST_CASE("in training and in answering each clip of a batch has the patches of both branches") {
  const TempDir dir;
  const auto config = write_config_and_load(dir.path(), two_branches_json());
  save_safetensors(dir.path() / "model.safetensors", random_weights(config));
  const auto model = load_model(dir.path(), at::kFloat, at::kCPU);
  const auto batch = tiny_batch(config);
  const auto features = model->features(batch);
  CHECK(features.acoustic.sizes() == at::IntArrayRef({2, 20, features.mel.size(2)}));
  CHECK(at::equal(model->encode(batch), model->audio_encoder->encode(features, model->pack(batch))));
  // The second clip is the longest, so that it has no padding: alone it is heard as in its batch.
  const auto alone =
      model->read_prompts({batch.input_ids.narrow(0, 1, 1), batch.attention_mask.narrow(0, 1, 1),
                           batch.input_values.narrow(0, 1, 1), batch.audio_length.narrow(0, 1, 1), at::Tensor()});
  CHECK(at::allclose(alone.logits[0], model->read_prompts(batch).logits[1], 1e-4, 1e-5));
}

TEST_CASE("a CPU that multiplies bfloat16 trains large models in it, and never one with two branches") {
  const TempDir dir;
  auto one = write_config_and_load(dir.path() / "one", tiny_config_json());
  auto two = write_config_and_load(dir.path() / "two", two_branches_json());
  using mdl::worker::cpu_prefers_bf16;
  CHECK_FALSE(cpu_prefers_bf16(true, one));            // its matrices are small
  one.text.hidden_size = two.text.hidden_size = 3584;  // as the 7B's
  CHECK(cpu_prefers_bf16(true, one));
  CHECK_FALSE(cpu_prefers_bf16(false, one));
  CHECK_FALSE(cpu_prefers_bf16(true, two));
  one.text.hidden_size = 1024;
  CHECK_FALSE(cpu_prefers_bf16(true, one));
}

TEST_CASE("a model with two branches stays in float32 unless it is told otherwise") {
  const TempDir dir;
  const auto two = write_config_and_load(dir.path() / "two", two_branches_json());
  const auto one = write_config_and_load(dir.path() / "one", tiny_config_json());
  using mdl::worker::automatic_type;
  CHECK(automatic_type(at::kBFloat16, two, std::nullopt) == at::kFloat);
  CHECK(automatic_type(at::kFloat, two, std::nullopt) == at::kFloat);
  CHECK(automatic_type(at::kBFloat16, one, std::nullopt) == at::kBFloat16);
  using mdl::worker::model::advise_float32;
  using mdl::worker::model::blame_bfloat16;
  CHECK_THAT(blame_bfloat16(two, at::kBFloat16), Contains("known for that in bfloat16"));
  CHECK_THAT(advise_float32(two, at::kBFloat16, "otherwise"), Contains("Leave --bf16 true out"));
  CHECK(advise_float32(two, at::kFloat, "otherwise") == "otherwise");
  CHECK(advise_float32(one, at::kBFloat16, "otherwise") == "otherwise");
  CHECK(blame_bfloat16(two, at::kFloat).empty());
  CHECK(blame_bfloat16(one, at::kBFloat16).empty());
}

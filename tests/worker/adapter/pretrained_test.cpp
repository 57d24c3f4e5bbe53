#include "worker/adapter/pretrained.hpp"

#include <ATen/ops/equal.h>
#include <ATen/ops/hann_window.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using mdl::test::TempDir;
using mdl::test::tiny_config_json;
using mdl::test::write_config_and_load;
using mdl::worker::tensors::NamedTensors;
using mdl::worker::tensors::SafetensorsFolder;

namespace fs = std::filesystem;

namespace {

/// A checkpoint, and what a merge of a fresh adapter on it leaves.
struct Merge {
  Merge(const nlohmann::json& config, const NamedTensors& more, at::ScalarType dtype,
        const mdl::worker::adapter::LoraConfig& lora = {}) {
    auto tensors = mdl::test::random_weights(write_config_and_load(dir.path() / "source", config));
    tensors.insert(tensors.end(), more.begin(), more.end());
    mdl::worker::tensors::save_safetensors(dir.path() / "source" / "model.safetensors", tensors);
    const auto model = mdl::worker::model::load_model(dir.path() / "source", dtype, at::kCPU);
    mdl::worker::adapter::attach_lora(*model, lora, 0);
    mdl::worker::adapter::merge_lora(*model);
    mdl::worker::adapter::save_merged(*model, dir.path() / "source", dir.path() / "final");
  }

  SafetensorsFolder source() const { return SafetensorsFolder(dir.path() / "source"); }
  SafetensorsFolder merged() const { return SafetensorsFolder(dir.path() / "final"); }
  nlohmann::json config() const { return nlohmann::json::parse(mdl::read_text(dir.path() / "final" / "config.json")); }

  TempDir dir;
};

std::vector<std::string> with(std::vector<std::string> names, const std::string& more) {
  names.push_back(more);
  std::sort(names.begin(), names.end());
  return names;
}

constexpr const char* kHead = "decoder.lm_head.weight";

}  // namespace

TEST_CASE("a merged model has the tensors of its source, no other and none less, in the run's floating type") {
  const at::Tensor hann = at::hann_window(512);
  const NamedTensors more = {
      {"audio_encoder.front_end.spectrogram_window", hann},
      {"audio_encoder.outputlayer.0.weight", at::full({3, 2}, 0.1)},
      {"audio_encoder.outputlayer.count", at::full({}, 7, at::kUInt16)},
      {"decoder.model.rotary_emb.inv_freq", at::ones({2})},
  };
  const Merge merge(tiny_config_json(), more, at::kBFloat16);
  const SafetensorsFolder source = merge.source(), merged = merge.merged();
  REQUIRE(merged.names() == source.names());
  for (const std::string& name : source.names()) {
    INFO(name);
    CHECK(merged.entry(name).shape == source.entry(name).shape);
    const bool kept = name.find("front_end") != std::string::npos || name.find("outputlayer") != std::string::npos ||
                      name.find("inv_freq") != std::string::npos;
    const bool floating = at::isFloatingType(source.entry(name).dtype);
    CHECK(merged.entry(name).dtype == (floating && !kept ? at::kBFloat16 : source.entry(name).dtype));
    if (kept) { CHECK(at::equal(merged.tensor(name), source.tensor(name))); }
  }
}

TEST_CASE("a tied model's lm_head is written where its source has one, and comes apart where it is trained whole") {
  const auto tied = tiny_config_json("qwen3", /*tied=*/true);
  const Merge without(tied, {}, at::kFloat);
  CHECK(without.merged().names() == without.source().names());
  CHECK(without.config()["text_config"]["tie_word_embeddings"] == true);

  const auto weights = mdl::test::random_weights(write_config_and_load(without.dir.path() / "again", tied));
  const auto embeddings = std::find_if(weights.begin(), weights.end(), [](const auto& named) {
    return named.first == "decoder.model.embed_tokens.weight";
  });
  const Merge doubled(tied, {{kHead, embeddings->second}}, at::kFloat);
  REQUIRE(doubled.merged().names() == doubled.source().names());
  CHECK(at::equal(doubled.merged().tensor(kHead), embeddings->second));

  mdl::worker::adapter::LoraConfig lora;
  lora.targets = {mdl::worker::adapter::Target::projector, mdl::worker::adapter::Target::lm_head};
  const Merge apart(tied, {}, at::kFloat, lora);
  CHECK(apart.merged().names() == with(apart.source().names(), kHead));
  CHECK(apart.config()["tie_word_embeddings"] == false);
  CHECK(apart.config()["text_config"]["tie_word_embeddings"] == false);
}

TEST_CASE("the type of a merged model is said wherever its configuration said one") {
  auto config = tiny_config_json();
  config["torch_dtype"] = "float32";
  config["text_config"]["dtype"] = "float32";
  config["audio_encoder_config"]["torch_dtype"] = "float32";
  const auto said = Merge(config, {}, at::kBFloat16).config();
  for (const char* place : {"/dtype", "/torch_dtype", "/text_config/dtype", "/audio_encoder_config/torch_dtype"}) {
    INFO(place);
    CHECK(said.at(nlohmann::json::json_pointer(place)) == "bfloat16");
  }
  CHECK_FALSE(said["audio_encoder_config"].contains("dtype"));
}

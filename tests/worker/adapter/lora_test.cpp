#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/pretrained.hpp"

using Catch::Contains;
using mdl::test::TempDir;
using mdl::test::tiny_batch;
using mdl::test::tiny_config_json;
using mdl::test::write_checkpoint;

namespace {

void fill_b_at_random(mdl::worker::model::MiDashengLM& model) {
  const at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(11);
  for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(model)) {
    if (name.find("lora_B") != std::string::npos) { tensor.normal_(0, 0.1, generator); }
  }
}

std::shared_ptr<mdl::worker::model::MiDashengLM> load(const std::filesystem::path& folder,
                                                      at::ScalarType dtype = at::kFloat) {
  return mdl::worker::model::load_model(folder, dtype, at::kCPU);
}

}  // namespace

TEST_CASE("a fresh adapter changes nothing, and its values follow from the seed alone") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = load(dir.path()), other = load(dir.path());
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const at::Tensor before = model->logits(batch);
  mdl::worker::adapter::attach_lora(*model, {}, 42);
  CHECK(at::equal(model->logits(batch).detach(), before));

  mdl::worker::adapter::attach_lora(*other, {}, 42);
  const auto ours = mdl::worker::adapter::lora_parameters(*model),
             theirs = mdl::worker::adapter::lora_parameters(*other);
  REQUIRE(ours.size() == 2 * (2 * 2 + 2 + 3 * 2));
  for (size_t i = 0; i < ours.size(); ++i) {
    CHECK(ours[i].first == theirs[i].first);
    CHECK(at::equal(ours[i].second, theirs[i].second));
    CHECK(ours[i].second.scalar_type() == at::kFloat);
  }
  const at::Tensor& a = ours[0].second;
  const double bound = 1.0 / std::sqrt(static_cast<double>(a.size(1)));
  CHECK(a.abs().max().item<double>() <= bound);
  CHECK(a.abs().max().item<double>() > 0.8 * bound);
  mdl::worker::adapter::attach_lora(*other, {}, 43);
  CHECK_FALSE(at::equal(a, mdl::worker::adapter::lora_parameters(*other)[0].second));
}

TEST_CASE("only adapters get gradients") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = load(dir.path());
  mdl::worker::adapter::attach_lora(*model, {}, 0);
  fill_b_at_random(*model);
  model->loss_sum(tiny_batch(model->config())).backward();
  for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(*model)) {
    INFO(name);
    REQUIRE(tensor.grad().defined());
    CHECK(tensor.grad().abs().max().item<float>() > 0);
  }
  for (const auto& [layer, slot, name] : mdl::worker::layers::tensor_slots(*model)) {
    CHECK_FALSE(slot.tensor->grad().defined());
  }
}

TEST_CASE("the merged model computes what base and adapter compute") {
  const TempDir dir;
  const bool tied = GENERATE(false, true);
  write_checkpoint(dir.path(), tiny_config_json("qwen3", tied));
  const auto model = load(dir.path());
  mdl::worker::adapter::attach_lora(*model, {}, 0);
  fill_b_at_random(*model);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const at::Tensor adapted = model->logits(batch).detach();
  mdl::worker::adapter::merge_lora(*model);
  CHECK(mdl::worker::adapter::lora_parameters(*model).empty());
  const at::Tensor merged = model->logits(batch);
  CHECK(at::allclose(merged, adapted, 1e-4, 1e-5));
  CHECK_FALSE(at::allclose(merged, load(dir.path())->logits(batch), 1e-2, 1e-3));
}

TEST_CASE("the adapter works in float32 on a bfloat16 base") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = load(dir.path(), at::kBFloat16);
  mdl::worker::adapter::attach_lora(*model, {}, 0);
  fill_b_at_random(*model);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  CHECK(model->logits(batch).scalar_type() == at::kBFloat16);
  CHECK(model->loss_sum(batch).scalar_type() == at::kFloat);
  for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(*model)) {
    CHECK(tensor.scalar_type() == at::kFloat);
  }
}

TEST_CASE("embeddings and head are trained whole, named and ordered as PEFT does") {
  const TempDir dir;
  const bool tied = GENERATE(false, true);
  write_checkpoint(dir.path() / "base", tiny_config_json("qwen3", tied));
  const auto model = load(dir.path() / "base");
  mdl::worker::adapter::LoraConfig lora;
  lora.targets = {mdl::worker::adapter::Target::projector, mdl::worker::adapter::Target::embed_tokens,
                  mdl::worker::adapter::Target::lm_head};
  mdl::worker::adapter::attach_lora(*model, lora, 0);
  auto parameters = mdl::worker::adapter::lora_parameters(*model);
  REQUIRE(parameters.size() == 2 * 2 + 2);
  CHECK(parameters[4].first == "base_model.model.decoder.model.embed_tokens.weight");
  CHECK(parameters[5].first == "base_model.model.decoder.lm_head.weight");
  CHECK_FALSE(parameters[4].second.is_same(parameters[5].second));

  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const at::Tensor before = model->logits(batch).detach();
  model->loss_sum(batch).backward();
  {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : parameters) { tensor.sub_(tensor.grad(), 0.01); }
  }
  const at::Tensor trained = model->logits(batch).detach();
  CHECK_FALSE(at::allclose(before, trained));

  // They come back from the adapter file, and from the merged model, which is tied no more.
  mdl::worker::adapter::save_adapter(*model, lora, dir.path() / "base", dir.path() / "adapter");
  const auto again = load(dir.path() / "base");
  mdl::worker::adapter::attach_lora(*again, lora, 1);
  mdl::worker::adapter::load_lora(*again, dir.path() / "adapter" / "adapter_model.safetensors");
  CHECK(at::equal(again->logits(batch).detach(), trained));
  mdl::worker::adapter::merge_lora(*model);
  CHECK(mdl::worker::adapter::lora_parameters(*model).empty());
  mdl::worker::adapter::save_merged(*model, dir.path() / "base", dir.path() / "final");
  CHECK_FALSE(mdl::worker::model::load_config(dir.path() / "final").text.tie_word_embeddings);
  CHECK(at::allclose(load(dir.path() / "final")->logits(batch), trained, 1e-4, 1e-5));
  CHECK(at::equal(load(dir.path() / "base")->logits(batch), before));  // the base file is as it was
}

TEST_CASE("the padding token's embedding is not trained") {
  const TempDir dir;
  auto tiny = tiny_config_json();
  tiny["text_config"]["pad_token_id"] = 2;
  write_checkpoint(dir.path(), tiny);
  const auto model = load(dir.path());
  mdl::worker::adapter::LoraConfig lora;
  lora.targets.insert(mdl::worker::adapter::Target::embed_tokens);
  mdl::worker::adapter::attach_lora(*model, lora, 0);
  model->loss_sum(tiny_batch(model->config())).backward();
  const at::Tensor gradient = model->decoder->embed_tokens->weight.grad();
  CHECK(gradient[2].abs().max().item<float>() == 0);
  CHECK(gradient[1].abs().max().item<float>() > 0);
  CHECK(gradient[49].abs().max().item<float>() == 0);  // audio tokens replace it
}

TEST_CASE("an adapter that does not fit is one error that lists the differences") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = load(dir.path());
  mdl::worker::adapter::LoraConfig lora;
  lora.rank = 4;
  mdl::worker::adapter::attach_lora(*model, lora, 0);
  auto tensors = mdl::worker::adapter::lora_parameters(*model);
  const std::string dropped = tensors.back().first;
  tensors.back().first = "base_model.model.other.lora_B.weight";
  tensors.front().second = at::zeros({2, 2});
  const auto file = dir.path() / "adapter_model.safetensors";
  mdl::worker::tensors::save_safetensors(file, tensors);
  CHECK_THROWS_WITH(mdl::worker::adapter::load_lora(*model, file),
                    Contains("missing: " + dropped) && Contains("wrong shape") &&
                        Contains("not part of this adapter") && Contains("[2, 2]"));
}

TEST_CASE("unusable LoRA options are refused") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = load(dir.path());
  mdl::worker::adapter::LoraConfig lora;
  lora.rank = 0;
  CHECK_THROWS_WITH(mdl::worker::adapter::attach_lora(*model, lora, 0), Contains("at least 1"));
  lora = {};
  lora.targets = {mdl::worker::adapter::Target::lm_head};
  CHECK_THROWS_WITH(mdl::worker::adapter::attach_lora(*model, lora, 0),
                    Contains("no layer of the model gets an adapter"));
}

TEST_CASE("an adapter on a tied head is merged into the head alone") {
  const TempDir dir;
  write_checkpoint(dir.path() / "base", tiny_config_json("qwen3", /*tied=*/true));
  const auto model = load(dir.path() / "base");
  mdl::worker::adapter::LoraConfig lora;
  lora.targets = {};
  lora.layers = mdl::worker::adapter::LayerSelection{.wanted = std::vector<std::string>{"lm_head", "qkv"},
                                                     .excluded = std::vector<std::string>(),
                                                     .indices = {},
                                                     .index_after = {}};
  mdl::worker::adapter::attach_lora(*model, lora, 0);
  fill_b_at_random(*model);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const at::Tensor adapted = model->logits(batch).detach();
  mdl::worker::adapter::merge_lora(*model);
  mdl::worker::adapter::save_merged(*model, dir.path() / "base", dir.path() / "final");
  CHECK(at::allclose(load(dir.path() / "final")->logits(batch), adapted, 1e-4, 1e-5));
}

TEST_CASE("an adapter on what is no linear layer is refused by the module's name") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  mdl::worker::adapter::LoraConfig lora;
  lora.layers = mdl::worker::adapter::LayerSelection{.wanted = std::vector<std::string>{"qkv", "embed_tokens"},
                                                     .excluded = std::vector<std::string>(),
                                                     .indices = {},
                                                     .index_after = {}};
  CHECK_THROWS_WITH(mdl::worker::adapter::attach_lora(*load(dir.path()), lora, 0),
                    Contains("decoder.model.embed_tokens"));
}

TEST_CASE("adapters are merged while the shards are written, to the same bits as before it") {
  const TempDir dir;
  write_checkpoint(dir.path() / "base", tiny_config_json("qwen3", /*tied=*/true));
  const auto first = load(dir.path() / "base"), last = load(dir.path() / "base");
  for (const auto& model : {first, last}) {
    mdl::worker::adapter::attach_lora(*model, {}, 0);
    fill_b_at_random(*model);
  }
  mdl::worker::adapter::merge_lora(*first);
  mdl::worker::adapter::save_merged(*first, dir.path() / "base", dir.path() / "before", /*shard_bytes=*/2000);
  mdl::worker::adapter::save_merged(*last, dir.path() / "base", dir.path() / "while", /*shard_bytes=*/2000);
  CHECK(mdl::worker::adapter::lora_parameters(*last).empty());
  std::size_t shards = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "before")) {
    CHECK(mdl::read_text(entry.path()) == mdl::read_text(dir.path() / "while" / entry.path().filename()));
    shards += entry.path().extension() == ".safetensors" ? 1 : 0;
  }
  CHECK(shards > 3);
}

TEST_CASE("final/ replaces an older one whole, and is not left half made") {
  const TempDir dir;
  const auto source = dir.path() / "source", final = dir.path() / "final";
  write_checkpoint(source, tiny_config_json());
  mdl::write_text_atomically(source / "tokenizer.json", "{}");
  std::filesystem::create_directories(final);
  mdl::write_text_atomically(final / "stale.txt", "old");
  const auto model = load(source);
  mdl::worker::adapter::save_merged(*model, source, final);
  CHECK(std::filesystem::exists(final / "tokenizer.json"));
  CHECK_FALSE(std::filesystem::exists(final / "stale.txt"));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 2);  // source, final
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  CHECK(at::equal(load(final)->logits(batch), model->logits(batch)));
}

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/hann_window.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/model/tiny_model.hpp"

using Catch::Contains;
using mdl::test::random_weights;
using mdl::test::TempDir;
using mdl::test::tiny_batch;
using mdl::test::tiny_config_json;
using mdl::test::write_checkpoint;
using mdl::test::write_config_and_load;

TEST_CASE("missing and wrongly shaped tensors are one error that lists them all") {
  const TempDir dir;
  const auto config = write_config_and_load(dir.path(), tiny_config_json());
  auto tensors = random_weights(config);
  mdl::worker::tensors::NamedTensors broken;
  for (const auto& [name, tensor] : tensors) {
    if (name == "audio_encoder.norm.weight") { continue; }
    if (name == "decoder.model.norm.weight") {
      broken.emplace_back(name, at::zeros({17}));
    } else if (name == "decoder.model.layers.0.mlp.up_proj.weight") {
      broken.emplace_back(name, tensor.to(at::kLong));
    } else {
      broken.emplace_back(name, tensor);
    }
  }
  mdl::worker::tensors::save_safetensors(dir.path() / "model.safetensors", broken);
  try {
    mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
    FAIL("loaded a broken checkpoint");
  } catch (const mdl::Error& error) {
    CHECK_THAT(error.what(), Contains("audio_encoder.norm.weight [8]"));
    CHECK_THAT(error.what(), Contains("decoder.model.norm.weight is [17], must be [16]"));
    CHECK_THAT(error.what(), Contains("decoder.model.layers.0.mlp.up_proj.weight is Long, must be Float"));
    CHECK(error.exit_code() == mdl::kExitUsage);
  }
}

TEST_CASE("tensors that the model has no place for are told of, at most 20 by name, but no inv_freq") {
  const TempDir dir;
  auto tensors = random_weights(write_config_and_load(dir.path(), tiny_config_json()));
  const auto told = [&] {
    mdl::worker::tensors::save_safetensors(dir.path() / "model.safetensors", tensors);
    return mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU)->names.tell_unused().value_or("none");
  };
  CHECK(told() == "none");
  tensors.emplace_back("decoder.model.rotary_emb.inv_freq", at::zeros({1}));  // derived: old files hold it
  CHECK(told() == "none");
  tensors.emplace_back("decoder.surplus", at::zeros({1}));
  CHECK_THAT(told(), Contains("1 tensor ") && Contains("decoder.surplus") && !Contains("inv_freq"));
  for (int i = 10; i < 40; ++i) { tensors.emplace_back("decoder.more." + std::to_string(i), at::zeros({1})); }
  CHECK_THAT(told(), Contains("31 tensors") && Contains("decoder.more.29") && !Contains("decoder.more.30") &&
                         Contains("and 11 more"));
}

TEST_CASE("the front end is the file's, under the names of all published models, and else exact in float32") {
  const TempDir dir;
  const auto config = write_config_and_load(dir.path(), tiny_config_json());
  const auto plain = random_weights(config);
  const auto batch = tiny_batch(config);
  const auto features = [&](const std::string& window, const std::string& filters, const at::Tensor& hann) {
    auto tensors = plain;
    if (!window.empty()) {
      tensors.emplace_back("audio_encoder." + window, hann);
      tensors.emplace_back("audio_encoder." + filters, mdl::worker::model::mel_filter_bank(config.audio));
    }
    mdl::worker::tensors::save_safetensors(dir.path() / "model.safetensors", tensors);
    const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
    CHECK(model->names.unused().empty());
    return model->features(batch).mel;
  };
  const at::Tensor hann = at::hann_window(512);
  const at::Tensor rounded = hann.to(at::kBFloat16).to(at::kFloat);
  const at::Tensor own = features("", "", hann);
  const at::Tensor old = features("front_end.0.spectrogram.window", "front_end.0.mel_scale.fb", rounded);
  CHECK_FALSE(at::allclose(own, old, 0, 0.1));
  for (const std::string level : {"", "0."}) {
    const std::string window = "front_end." + level + "spectrogram_window";
    const std::string filters = "front_end." + level + "melscale_fbanks";
    CHECK(at::equal(features(window, filters, hann), own));
    CHECK(at::equal(features(window, filters, rounded), old));
  }
}

TEST_CASE("quantized weights are refused with the variant that is not, before any tensor is compared") {
  const TempDir dir;
  const std::string layer = "decoder.model.layers.0.mlp.up_proj.";
  const auto error_of = [&](const std::string& decoder, const std::string& name, const at::Tensor& tensor) {
    auto tensors = random_weights(write_config_and_load(dir.path(), tiny_config_json(decoder)));
    std::erase_if(tensors, [&](const auto& named) { return named.first == layer + "weight"; });
    tensors.emplace_back(layer + name, tensor);
    mdl::worker::tensors::save_safetensors(dir.path() / "model.safetensors", tensors);
    try {
      mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
    } catch (const mdl::UsageError& error) { return std::string(error.what()); }
    return std::string("no error");
  };
  CHECK_THAT(error_of("qwen2", "weight", at::zeros({24, 16}, at::kFloat8_e4m3fn)),
             Contains(layer + "weight is F8_E4M3") && Contains("midashenglm-7b-1021-bf16") && !Contains("missing"));
  CHECK_THAT(error_of("qwen3", "qweight", at::zeros({2, 24}, at::kInt)), Contains("GPTQ") && Contains("0.6b-fp32"));
  CHECK_THAT(error_of("qwen2", "weight_packed", at::zeros({24, 2}, at::kInt)), Contains("compressed-tensors"));
  CHECK_THAT(error_of("qwen2", "weight.absmax", at::zeros({6})), Contains("bitsandbytes"));
}

TEST_CASE("tied embeddings need no lm_head in the file and are one tensor") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json("qwen3", /*tied=*/true));
  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  CHECK(model->decoder->lm_head->weight.is_same(model->decoder->embed_tokens->weight));
  CHECK(model->logits(tiny_batch(model->config())).size(2) == 50);
}

TEST_CASE("a tied model whose file holds an lm_head is tied only when the two are equal, as in transformers") {
  const TempDir dir;
  const bool equal = GENERATE(true, false);
  const auto config = write_config_and_load(dir.path(), tiny_config_json("qwen3", /*tied=*/true));
  auto tensors = random_weights(config);
  for (const auto& [name, tensor] : mdl::worker::tensors::NamedTensors(tensors)) {
    if (name == "decoder.model.embed_tokens.weight") {
      tensors.emplace_back("decoder.lm_head.weight", equal ? tensor : tensor + 1);
    }
  }
  mdl::worker::tensors::save_safetensors(dir.path() / "model.safetensors", tensors);
  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  CHECK(model->decoder->lm_head->weight.is_same(model->decoder->embed_tokens->weight) == equal);
}

TEST_CASE("weights of the wanted type stay in the mapped file, and others are converted") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json(), at::kBFloat16);
  const auto kept = mdl::worker::model::load_model(dir.path(), at::kBFloat16, at::kCPU);
  const auto wide = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  const at::Tensor& a = kept->decoder->embed_tokens->weight;
  const at::Tensor& b = wide->decoder->embed_tokens->weight;
  CHECK(a.scalar_type() == at::kBFloat16);
  CHECK(b.scalar_type() == at::kFloat);
  CHECK(at::equal(a.to(at::kFloat), b));
  // from_blob over the mapping: its storage is no allocation of LibTorch's, which could be resized.
  CHECK_FALSE(a.storage().resizable());
  CHECK(b.storage().resizable());
}

TEST_CASE("padding changes no result: rows alone give what they give in a batch") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json(GENERATE(from_range(mdl::test::all_decoders()))));
  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const at::Tensor together = model->logits(batch);
  double sum = 0;
  for (int64_t row = 0; row < 2; ++row) {
    const auto only = [row](const at::Tensor& x) { return x.narrow(0, row, 1); };
    const mdl::worker::batch::Batch alone{only(batch.input_ids), only(batch.attention_mask), only(batch.input_values),
                                          only(batch.audio_length), only(batch.labels)};
    CHECK(at::allclose(only(together), model->logits(alone), 1e-4, 1e-5));
    sum += model->loss_sum(alone).item<double>();
  }
  CHECK(model->loss_sum(batch).item<double>() == Approx(sum).epsilon(1e-5));
  const at::Tensor padding = together[0].narrow(0, 0, 1);
  CHECK(padding.abs().max().item<float>() == 0);
}

TEST_CASE("a lone clip too short for one audio token is padded with zeros") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  const at::Tensor ids = at::arange(48, 50, at::kLong).view({1, 2});
  const at::Tensor wave = at::ones({1, 200});
  const mdl::worker::batch::Batch brief{ids, at::ones({1, 2}, at::kLong), wave, at::full({1}, 200, at::kLong), {}};
  mdl::worker::batch::Batch padded = brief;
  padded.input_values = at::zeros({1, 3200});
  padded.input_values.narrow(1, 0, 200).copy_(wave);
  CHECK(at::equal(model->logits(brief), model->logits(padded)));
}

TEST_CASE("init_bn normalises by the batch in train mode and by its running statistics else") {
  const TempDir dir;
  write_checkpoint(dir.path(), tiny_config_json());
  const auto model = mdl::worker::model::load_model(dir.path(), at::kFloat, at::kCPU);
  const mdl::worker::batch::Batch batch = tiny_batch(model->config());
  const auto running_mean = [&] {
    for (const auto& [layer, slot, name] : mdl::worker::layers::tensor_slots(*model)) {
      if (name == "audio_encoder.init_bn.running_mean") { return slot.tensor->clone(); }
    }
    return at::Tensor();
  };
  const at::Tensor before = running_mean();
  const double evaluated = model->loss_sum(batch).item<double>();
  CHECK(at::equal(running_mean(), before));

  model->train();
  model->use_running_statistics(true);
  CHECK(model->loss_sum(batch).item<double>() == evaluated);
  CHECK(at::equal(running_mean(), before));

  model->use_running_statistics(false);
  CHECK(model->loss_sum(batch).item<double>() != evaluated);
  CHECK_FALSE(at::equal(running_mean(), before));
}

#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "worker/model/decoders.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::test {

/// config.json of a model of a few thousand parameters; `target_length` 40 makes pieces of 10 patches, 0.4 s.
inline nlohmann::json tiny_config_json(const std::string& decoder = "qwen2", bool tied = false) {
  return {{"model_type", "midashenglm"},
          {"audio_encoder_config",
           {{"embed_dim", 8},
            {"depth", 2},
            {"num_heads", 2},
            {"mlp_ratio", 2.0},
            {"patch_size", {64, 4}},
            {"target_length", 40}}},
          {"text_config",
           {{"model_type", decoder},
            {"hidden_size", 16},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 4},
            {"num_key_value_heads", 2},
            {"head_dim", 4},
            {"intermediate_size", 24},
            {"vocab_size", 50},
            {"rope_theta", 10000.0},
            {"tie_word_embeddings", tied}}},
          {"subsample_factor", 5},
          {"audio_token_id", 49}};
}

inline worker::model::ModelConfig write_config_and_load(const std::filesystem::path& folder,
                                                        const nlohmann::json& json) {
  std::filesystem::create_directories(folder);
  write_text_atomically(folder / "config.json", json.dump());
  return worker::model::load_config(folder);
}

/// The model_type of every decoder, once.
inline std::vector<std::string> all_decoders() {
  std::vector<std::string> names;
  for (const worker::model::DecoderType& type : worker::model::decoder_types()) {
    names.push_back(type.model_types.front());
  }
  return names;
}

/// Random values for every tensor of the model, under its checkpoint name.
inline worker::tensors::NamedTensors random_weights(const worker::model::ModelConfig& config,
                                                    at::ScalarType dtype = at::kFloat) {
  worker::model::MiDashengLM model(config, dtype);
  at::Generator generator = at::detail::createCPUGenerator(7);
  worker::tensors::NamedTensors tensors;
  for (const auto& [layer, slot, name] : worker::layers::tensor_slots(model)) {
    if (config.text.tie_word_embeddings && layer == model.decoder->lm_head.get()) { continue; }
    if (!slot.required) { continue; }
    const bool variance = name.find("running_var") != std::string::npos;
    const at::Tensor value = at::randn(slot.tensor->sizes(), generator, at::kFloat) * 0.3;
    tensors.emplace_back(name, (variance ? value.abs() + 100 : value).to(slot.tensor->scalar_type()));
  }
  return tensors;
}

/// A checkpoint folder with random weights.
inline void write_checkpoint(const std::filesystem::path& folder, const nlohmann::json& json,
                             at::ScalarType dtype = at::kFloat) {
  worker::tensors::save_safetensors(folder / "model.safetensors",
                                    random_weights(write_config_and_load(folder, json), dtype));
}

/// Two rows, the first with two tokens of padding: [pad pad] text, audio tokens, text, answer.
inline worker::batch::Batch tiny_batch(const worker::model::ModelConfig& config) {
  const std::vector<int64_t> samples = {4000, 16000 * 6 / 10};
  std::vector<std::vector<int64_t>> rows;
  for (size_t row = 0; row < 2; ++row) {
    std::vector<int64_t> ids = {1, 2};
    ids.insert(ids.end(), worker::model::audio_token_count(samples[row], config), config.audio_token_id);
    for (int64_t id : {3, 4, 5, 6}) { ids.push_back(id + static_cast<int64_t>(row)); }
    rows.push_back(ids);
  }
  const auto columns = static_cast<int64_t>(rows[1].size());
  worker::batch::Batch batch{at::zeros({2, columns}, at::kLong), at::zeros({2, columns}, at::kLong),
                             at::zeros({2, samples[1]}), at::zeros({2}, at::kLong),
                             at::full({2, columns}, -100, at::kLong)};
  at::Generator generator = at::detail::createCPUGenerator(3);
  for (int64_t row = 0; row < 2; ++row) {
    const int64_t padding = columns - static_cast<int64_t>(rows[row].size());
    for (size_t i = 0; i < rows[row].size(); ++i) {
      const auto column = padding + static_cast<int64_t>(i);
      batch.input_ids[row][column] = rows[row][i];
      batch.attention_mask[row][column] = 1;
      if (i + 3 >= rows[row].size()) { batch.labels[row][column] = rows[row][i]; }
    }
    batch.audio_length[row] = samples[row];
    batch.input_values[row].narrow(0, 0, samples[row]).copy_(at::randn({samples[row]}, generator, at::kFloat) * 0.1);
  }
  return batch;
}

}  // namespace mdl::test

#include "worker/model/midashenglm.hpp"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/layers/cpu_product.hpp"
#include "worker/layers/token_loss.hpp"
#include "worker/model/decoders.hpp"
#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::model {
namespace {

/// The small tensors of a batch, on the CPU. Free when they are there already.
batch::Batch on_host(const batch::Batch& batch) {
  const auto host = [](const at::Tensor& x) { return x.defined() ? x.cpu() : x; };
  return {host(batch.input_ids), host(batch.attention_mask), batch.input_values, host(batch.audio_length),
          host(batch.labels)};
}

/// Without those that rounded their count up.
at::Tensor first_rows(const at::Tensor& x, int64_t count) {
  return x.size(0) == count ? x : x.narrow(0, 0, count);
}

}  // namespace

MiDashengLM::MiDashengLM(const ModelConfig& config, at::ScalarType dtype) : config_(config), dtype_(dtype) {
  audio_encoder = register_module("audio_encoder", std::make_shared<DashengEncoder>(config.audio, dtype));
  audio_projector = register_module("audio_projector",
                                    std::make_shared<AudioProjector>(config.audio.embed_dim, config.text.hidden_size,
                                                                     config.subsample_factor, dtype));
  decoder = register_module("decoder", decoder_type(config.text).make(config.text, dtype));
  eval();
}

at::Device MiDashengLM::device() const {
  return decoder->embed_tokens->weight.device();
}

void MiDashengLM::use_running_statistics(bool enabled) {
  audio_encoder->init_bn->always_use_running_statistics = enabled;
}

void MiDashengLM::set_gradient_checkpointing(bool enabled) {
  audio_encoder->gradient_checkpointing = enabled;
  decoder->gradient_checkpointing = enabled;
}

int64_t MiDashengLM::least_samples() const {
  const int64_t token = config_.subsample_factor * config_.audio.patch_frames * config_.audio.hop_length;
  const auto& acoustic = config_.audio.acoustic;
  return std::max({token, config_.audio.n_fft, acoustic ? acoustic->n_fft : 0});
}

at::Tensor MiDashengLM::waveforms(const batch::Batch& batch) const {
  const at::Tensor& given = batch.input_values;
  if (!given.defined()) { return given; }
  if (given.dim() != 2) {
    throw Error(str_cat("batch: input_values has shape ", given.sizes(), ", but [batch, samples] is needed"));
  }
  const int64_t least = least_samples();
  return given.size(1) < least ? at::constant_pad_nd(given, {0, least - given.size(1)}) : given;
}

BatchLayout MiDashengLM::layout(const batch::Batch& batch) const {
  const at::Tensor wave = waveforms(batch);
  return plan_batch(on_host(batch), config_,
                    wave.defined() ? MelFrontend::frame_count(wave.size(1), config_.audio) : 0);
}

PackedBatch MiDashengLM::pack(const batch::Batch& batch, HostMemory where) const {
  return {layout(batch), waveforms(batch), where, flash_attention(), row_step()};
}

int64_t MiDashengLM::row_step() const {
  // Elsewhere the products are none of oneDNN's, and the rows that are added cost more than they gain.
  return device().is_cpu() && dtype_ == at::kBFloat16 && layers::cpu_multiplies_bfloat16() ? kRowStep : 1;
}

FlashAttention MiDashengLM::flash_attention() const {
  const auto serves = [&](int64_t head_dim) { return layers::takes_flash_attention(device(), dtype_, head_dim); };
  return {.text = serves(config_.text.head_dim), .audio = serves(config_.audio.embed_dim / config_.audio.num_heads)};
}

AudioFeatures MiDashengLM::features(const batch::Batch& batch) {
  return audio_encoder->features(waveforms(batch).to(device()));
}

at::Tensor MiDashengLM::encode(const batch::Batch& batch) {
  const PackedBatch packed = pack(batch).to(device());
  return first_rows(audio_encoder->encode(audio_encoder->features(packed.input_values), packed),
                    std::ssize(packed.layout.patch_rows));
}

AudioFeatures MiDashengLM::lone_features(const at::Tensor& wave, const at::Tensor& lengths) {
  const int64_t frames = MelFrontend::frame_count(wave.size(1), config_.audio);
  AudioFeatures all;
  for (int64_t clip = 0; clip < wave.size(0); ++clip) {
    const int64_t length = std::max(lengths[clip].item<int64_t>(), least_samples());
    const AudioFeatures alone = audio_encoder->features(wave.narrow(0, clip, 1).narrow(1, 0, length));
    for (const auto part : {&AudioFeatures::mel, &AudioFeatures::acoustic}) {
      const at::Tensor& from = alone.*part;
      at::Tensor& to = all.*part;
      if (!from.defined()) { continue; }
      if (!to.defined()) { to = at::zeros({wave.size(0), from.size(1), frames}, from.options()); }
      to[clip].narrow(1, 0, from.size(2)).copy_(from.squeeze(0));
    }
  }
  return all;
}

at::Tensor MiDashengLM::embeddings(const AudioFeatures& features, const PackedBatch& batch) {
  at::Tensor text = decoder->embed(batch.token_ids);
  if (batch.layout.clips.empty()) { return text; }
  const at::Tensor patches = audio_encoder->encode(features, batch);
  const at::Tensor audio =
      first_rows(audio_projector->forward(patches.index_select(0, batch.folded_patches)), batch.audio_rows.size(0));
  return text.index_copy(0, batch.audio_rows, audio.to(text.scalar_type()));
}

at::Tensor MiDashengLM::hidden_states(const PackedBatch& batch, const at::Tensor& rows) {
  const BatchLayout& plan = batch.layout;
  const at::Tensor h =
      embeddings(plan.clips.empty() ? AudioFeatures() : audio_encoder->features(batch.input_values), batch);
  return decoder->forward(h, batch.positions, batch.text, rows, nullptr);
}

MiDashengLM::Prefill MiDashengLM::read_prompts(const batch::Batch& batch) {
  BatchLayout plan = layout(batch);
  plan.positions.clear();
  plan.predicting_rows.clear();
  for (const int64_t length : plan.row_lengths) {
    for (int64_t t = 0; t < length; ++t) { plan.positions.push_back(t); }
    plan.predicting_rows.push_back(std::ssize(plan.positions) - 1);
  }
  KvCache cache(config_.text.num_layers, plan.row_lengths, device(), dtype_, config_.text.head_dim);
  const PackedBatch packed =
      PackedBatch(plan, waveforms(batch), HostMemory::plain, flash_attention(), row_step()).to(device());
  const at::Tensor h = embeddings(
      plan.clips.empty() ? AudioFeatures() : lone_features(packed.input_values, batch.audio_length.cpu()), packed);
  const at::Tensor hidden = decoder->forward(h, packed.positions, packed.text, packed.predicting_rows, &cache);
  return {first_rows(decoder->logits(hidden), std::ssize(plan.predicting_rows)).to(at::kFloat), std::move(cache)};
}

at::Tensor MiDashengLM::next_logits(const at::Tensor& tokens, KvCache& cache) {
  return decoder->logits(decoder->step(decoder->embed(tokens), cache)).to(at::kFloat);
}

at::Tensor MiDashengLM::logits(const batch::Batch& batch) {
  const PackedBatch plan = pack(batch).to(device());
  const at::Tensor packed = first_rows(decoder->logits(hidden_states(plan)), plan.layout.tokens());
  const at::Tensor padded = at::zeros({batch.input_ids.numel(), packed.size(1)}, packed.options());
  return padded.index_copy(0, tensors::index_tensor(plan.layout.token_index, device()), packed)
      .view({batch.input_ids.size(0), batch.input_ids.size(1), -1});
}

at::Tensor MiDashengLM::loss_sum(const batch::Batch& batch) {
  if (!batch.labels.defined()) { throw Error("batch: the loss needs labels"); }
  return loss_sum(pack(batch).to(device()));
}

layers::TokenScores MiDashengLM::token_scores(const PackedBatch& batch) {
  const at::NoGradGuard no_grad;
  const at::Tensor hidden = first_rows(hidden_states(batch, batch.predicting_rows), batch.targets.size(0));
  return layers::token_scores(hidden, decoder->lm_head->weight, batch.targets);
}

at::Tensor MiDashengLM::loss_sum(const PackedBatch& batch) {
  const at::Tensor hidden = first_rows(hidden_states(batch, batch.predicting_rows), batch.targets.size(0));
  return layers::token_loss_sum(hidden, decoder->lm_head->weight, batch.targets);
}

}  // namespace mdl::worker::model

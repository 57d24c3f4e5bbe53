#include "worker/model/midashenglm.hpp"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/index_tensor.hpp"
#include "worker/model/token_loss.hpp"

namespace mdl {
namespace {

/// The small tensors of a batch, on the CPU. Free when they are there already.
Batch on_host(const Batch& batch) {
  const auto host = [](const at::Tensor& x) { return x.defined() ? x.cpu() : x; };
  return {host(batch.input_ids), host(batch.attention_mask), batch.input_values, host(batch.audio_length),
          host(batch.labels)};
}

}  // namespace

MiDashengLM::MiDashengLM(const ModelConfig& config, at::ScalarType dtype) : config_(config), dtype_(dtype) {
  audio_encoder = register_module("audio_encoder", std::make_shared<DashengEncoder>(config.audio, dtype));
  audio_projector = register_module("audio_projector",
                                    std::make_shared<AudioProjector>(config.audio.embed_dim, config.text.hidden_size,
                                                                     config.subsample_factor, dtype));
  decoder = register_module("decoder", std::make_shared<QwenDecoder>(config.text, dtype));
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

at::Tensor MiDashengLM::waveforms(const Batch& batch) const {
  const at::Tensor& given = batch.input_values;
  if (!given.defined()) return given;
  if (given.dim() != 2) {
    throw Error(str_cat("batch: input_values has shape ", given.sizes(), ", but [batch, samples] is needed"));
  }
  const int64_t token = config_.subsample_factor * config_.audio.patch_frames * config_.audio.hop_length;
  const int64_t least = std::max(token, config_.audio.n_fft);
  return given.size(1) < least ? at::constant_pad_nd(given, {0, least - given.size(1)}) : given;
}

BatchLayout MiDashengLM::layout(const Batch& batch) const {
  const at::Tensor wave = waveforms(batch);
  return plan_batch(on_host(batch), config_,
                    wave.defined() ? MelFrontend::frame_count(wave.size(1), config_.audio) : 0);
}

at::Tensor MiDashengLM::features(const Batch& batch) {
  return audio_encoder->frontend->forward(waveforms(batch));
}

at::Tensor MiDashengLM::encode(const Batch& batch) {
  return audio_encoder->forward(waveforms(batch), layout(batch).pieces);
}

at::Tensor MiDashengLM::hidden_states(const Batch& batch, const BatchLayout& plan, const at::Tensor& rows) {
  const at::Device place = device();
  at::Tensor h = decoder->embed(index_tensor(plan.token_ids, place));
  if (!plan.clips.empty()) {
    const at::Tensor patches = audio_encoder->forward(waveforms(batch), plan.pieces);
    const at::Tensor audio =
        audio_projector->forward(patches.index_select(0, index_tensor(plan.folded_patches, place)));
    h = h.index_copy(0, index_tensor(plan.audio_rows, place), audio.to(h.scalar_type()));
  }
  const auto groups = group_sequences(plan.row_lengths, plan.row_lengths);
  return decoder->forward(h, index_tensor(plan.positions, place), groups, rows);
}

at::Tensor MiDashengLM::logits(const Batch& batch) {
  const BatchLayout plan = layout(batch);
  const at::Tensor packed = decoder->lm_head->forward(hidden_states(batch, plan));
  const at::Tensor padded = at::zeros({batch.input_ids.numel(), packed.size(1)}, packed.options());
  return padded.index_copy(0, index_tensor(plan.token_index, device()), packed)
      .view({batch.input_ids.size(0), batch.input_ids.size(1), -1});
}

at::Tensor MiDashengLM::loss_sum(const Batch& batch) {
  if (!batch.labels.defined()) throw Error("batch: the loss needs labels");
  const BatchLayout plan = layout(batch);
  const at::Tensor hidden = hidden_states(batch, plan, index_tensor(plan.predicting_rows, device()));
  return token_loss_sum(hidden, decoder->lm_head->weight, index_tensor(plan.targets, device()));
}

}  // namespace mdl

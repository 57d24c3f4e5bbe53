// Runs the native model on one batch and writes what it computed, for test_worker_model.py to hold against the Python
// model.
//
//   model_probe --checkpoint DIR --batch FILE [--adapter DIR] --out FILE [--eval] [--checkpointing]
//               [--whole] [--quantization 8bit|4bit [--quantization-type fp4|nf4] [--double-quantization]]
//               [--save-adapter DIR] [--save-merged DIR [--shard-bytes N]]
//
// FILE holds a batch under the names of worker/batch/batch.hpp. Written are: loss (the sum), features, those of an
// acoustic branch as acoustic_features, encoded (patches laid out as [clip, patch, dim], zero where not computed),
// logits, running_mean and running_var after the one training step, the front end's window and filters under their full
// names, and grad.NAME for each trained tensor; the metadata
// "parameters" hold their names in order. With --save-merged the model is merged first and everything is computed
// afterwards.

#include <ATen/ops/zeros.h>

#include <boost/program_options.hpp>
#include <iostream>

#include "common/error.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/pretrained.hpp"
#include "worker/quantization/four_bit_weight.hpp"
#include "worker/quantization/int8_weight.hpp"
#include "worker/quantization/quantization.hpp"

namespace {

namespace po = boost::program_options;

mdl::worker::batch::Batch read_batch(const std::string& path) {
  const mdl::worker::tensors::SafetensorsFile file(path);
  return {file.tensor("input_ids"), file.tensor("attention_mask"), file.tensor("input_values"),
          file.tensor("audio_length"), file.tensor("labels")};
}

at::Tensor laid_out(const at::Tensor& rows, const std::vector<mdl::worker::model::AudioPiece>& pieces, int64_t clips,
                    int64_t patches) {
  at::Tensor table = at::zeros({clips, patches, rows.size(1)}, rows.options());
  int64_t row = 0;
  for (const auto& piece : pieces) {
    table[piece.clip].narrow(0, piece.first_patch, piece.patches).copy_(rows.narrow(0, row, piece.patches));
    row += piece.patches;
  }
  return table;
}

std::optional<std::string> text_of(const po::variables_map& options, const char* name) {
  return options.count(name) ? std::optional(options[name].as<std::string>()) : std::nullopt;
}

/// codes.NAME, scales.NAME and weight.NAME (dequantized) of every quantized layer.
void add_quantized(mdl::worker::model::MiDashengLM& model, mdl::worker::tensors::NamedTensors& out) {
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const auto* layer = dynamic_cast<const mdl::worker::layers::Linear*>(item.value().get());
    if (!layer || !layer->quantized) { continue; }
    const auto add = [&](const char* what, const at::Tensor& x) { out.emplace_back(what + ("." + item.key()), x); };
    add("weight", layer->quantized->dequantized(model.dtype()));
    if (const auto* four = dynamic_cast<const mdl::worker::quantization::FourBitWeight*>(layer->quantized.get())) {
      add("codes", four->codes());
      add("scales", four->scales());
    } else {
      const auto& eight = dynamic_cast<const mdl::worker::quantization::Int8Weight&>(*layer->quantized);
      add("codes", eight.codes());
      add("scales", eight.scales());
    }
  }
}

int run(const po::variables_map& options) {
  const auto checkpoint = options["checkpoint"].as<std::string>();
  const bool bf16 = options.count("bf16") != 0;
  const auto quantization = mdl::worker::quantization::parse_quantization(
      text_of(options, "quantization"), text_of(options, "quantization-type"),
      options.count("double-quantization") ? std::optional(true) : std::nullopt);
  auto model =
      mdl::worker::model::load_model(checkpoint, bf16 ? at::kBFloat16 : at::kFloat, at::kCPU,
                                     quantization ? mdl::worker::quantization::make_quantizer(*quantization, at::kCPU)
                                                  : mdl::worker::layers::Quantize());
  const mdl::worker::batch::Batch batch = read_batch(options["batch"].as<std::string>());

  mdl::worker::adapter::LoraConfig lora;
  if (options.count("adapter")) {
    const auto adapter = mdl::worker::adapter::AdapterFolder::load(options["adapter"].as<std::string>(),
                                                                   mdl::worker::adapter::AdapterUse::training);
    lora = adapter.config.lora;
    mdl::worker::adapter::attach_lora(*model, lora, 0);
    mdl::worker::adapter::load_lora(*model, adapter.weights_file());
  }
  if (options.count("save-adapter")) {
    mdl::worker::adapter::save_adapter(*model, lora, std::filesystem::path(checkpoint),
                                       options["save-adapter"].as<std::string>());
  }
  if (options.count("save-merged")) {
    mdl::worker::adapter::merge_lora(*model);
    mdl::worker::adapter::save_merged(*model, checkpoint, options["save-merged"].as<std::string>(),
                                      options["shard-bytes"].as<int64_t>());
  }

  model->train(options.count("eval") == 0);
  model->set_gradient_checkpointing(options.count("checkpointing") != 0);
  mdl::worker::tensors::NamedTensors out;
  add_quantized(*model, out);
  const at::Tensor loss = model->loss_sum(batch);
  out.emplace_back("loss", loss.detach());
  for (const auto& [layer, slot, name] : mdl::worker::layers::tensor_slots(*model)) {
    if (name.find("running_") != std::string::npos) { out.emplace_back(slot.name, slot.tensor->clone()); }
    if (name.find("front_end") != std::string::npos) { out.emplace_back(name, slot.tensor->clone()); }
    if (slot.tensor->requires_grad() && !options.count("whole")) {
      throw mdl::Error("the frozen tensor " + name + " requires a gradient");
    }
  }
  if (loss.requires_grad()) { loss.backward(); }
  std::string order;
  for (const auto& [name, tensor] : mdl::worker::adapter::lora_parameters(*model)) {
    order += name + "\n";
    if (!tensor.grad().defined()) { throw mdl::Error("no gradient for " + name); }
    out.emplace_back("grad." + name, tensor.grad());
  }

  const mdl::worker::model::AudioFeatures features = model->features(batch);
  out.emplace_back("features", features.mel);
  if (features.acoustic.defined()) { out.emplace_back("acoustic_features", features.acoustic); }
  const auto plan = model->layout(batch);
  const int64_t patches =
      mdl::worker::model::MelFrontend::frame_count(batch.input_values.size(1), model->config().audio) /
      model->config().audio.patch_frames;
  out.emplace_back("encoded",
                   laid_out(model->encode(batch).detach(), plan.pieces, batch.input_values.size(0), patches));
  out.emplace_back("logits", model->logits(batch).detach());
  mdl::worker::tensors::save_safetensors(options["out"].as<std::string>(), out, {{"parameters", order}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  po::options_description known("model_probe");
  known.add_options()("checkpoint", po::value<std::string>()->required())(
      "batch", po::value<std::string>()->required())("adapter", po::value<std::string>())(
      "out", po::value<std::string>()->required())("eval", "")("bf16", "")("checkpointing", "")("whole", "")(
      "quantization", po::value<std::string>())("quantization-type", po::value<std::string>())(
      "double-quantization", "")("save-adapter", po::value<std::string>())("save-merged", po::value<std::string>())(
      "shard-bytes", po::value<int64_t>()->default_value(5'000'000'000));
  try {
    po::variables_map options;
    po::store(po::parse_command_line(argc, argv, known), options);
    po::notify(options);
    return run(options);
  } catch (const std::exception& error) {
    std::cerr << "model_probe: " << error.what() << '\n';
    return 1;
  }
}

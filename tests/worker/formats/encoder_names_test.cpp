#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/formats/encoder_names.hpp"

namespace {

using Catch::Contains;
using mdl::worker::formats::AcousticNames;
using mdl::worker::formats::EncoderNames;
using mdl::worker::formats::find_encoder_names;
using mdl::worker::formats::TensorShapes;

constexpr std::int64_t kDim = 48;

/// The tensors of an encoder with these names, and of what else a checkpoint has.
TensorShapes tensors_of(const EncoderNames& names, std::int64_t acoustic_bins = 100, bool frontend = true) {
  TensorShapes tensors = {
      {"decoder.model.norm.weight", {kDim}},        {"audio_projector.net.0.weight", {64, 240}},
      {names.init_bn + ".num_batches_tracked", {}}, {names.time_pos_embed, {1, kDim, 1, 252}},
      {names.freq_pos_embed, {1, kDim, 1, 1}},      {names.patch_embed + ".weight", {kDim, 1, 64, 4}},
      {names.patch_embed + ".bias", {kDim}}};
  for (const char* block : {".0", ".1"}) {
    const std::string at = names.blocks + block;
    tensors[at + ".attn.qkv.weight"] = {3 * kDim, kDim};
    tensors[at + ".attn.proj.weight"] = {kDim, kDim};
    for (const char* norm : {".norm1.weight", ".norm1.bias", ".norm2.weight", ".norm2.bias"}) {
      tensors[at + norm] = {kDim};
    }
  }
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
    tensors[names.init_bn + part] = {64};
  }
  for (const char* part : {".weight", ".bias"}) { tensors[names.norm + part] = {kDim}; }
  if (frontend) { tensors.insert({{names.window, {512}}, {names.filters, {257, 64}}}); }
  if (const auto& acoustic = names.acoustic) {
    tensors[acoustic->patch_embed + ".weight"] = {kDim, 1, acoustic_bins, 4};
    for (const std::string& name :
         {acoustic->patch_embed + ".bias", acoustic->norm + ".weight", acoustic->norm + ".bias"}) {
      tensors[name] = {kDim};
    }
    if (frontend) { tensors.insert({{acoustic->window, {1024}}, {acoustic->filters, {513, acoustic_bins}}}); }
  }
  return tensors;
}

/// A Dasheng encoder in `module` and an acoustic branch in `acoustic`, each with a dot at its end.
EncoderNames nested(const std::string& module, const std::string& acoustic) {
  return {.blocks = module + "blocks",
          .init_bn = module + "init_bn.1",
          .patch_embed = module + "patch_embed.proj",
          .norm = module + "norm",
          .time_pos_embed = module + "time_pos_embed",
          .freq_pos_embed = module + "freq_pos_embed",
          .window = module + "front_end.0.spectrogram.window",
          .filters = module + "front_end.0.mel_scale.fb",
          .acoustic = AcousticNames{.patch_embed = acoustic + "patch_embed",
                                    .norm = acoustic + "norm",
                                    .window = acoustic + "front_end.mel_spec.spectrogram.window",
                                    .filters = acoustic + "front_end.mel_spec.mel_scale.fb"}};
}

EncoderNames flat() {
  EncoderNames names;
  names.acoustic = AcousticNames{.patch_embed = "audio_encoder.acoustic_patch_embed",
                                 .norm = "audio_encoder.acoustic_norm",
                                 .window = "audio_encoder.acoustic_front_end.spectrogram_window",
                                 .filters = "audio_encoder.acoustic_front_end.melscale_fbanks"};
  return names;
}

std::string error_of(const TensorShapes& tensors, bool two_branches) {
  try {
    find_encoder_names(tensors, two_branches);
  } catch (const mdl::UsageError& error) { return error.problem(); }
  return "no error";
}

}  // namespace

TEST_CASE("the names of the 7B's audio encoder are found, with its front end or without") {
  CHECK(find_encoder_names(tensors_of({}), false) == EncoderNames());
  CHECK(find_encoder_names(tensors_of({}, 0, /*frontend=*/false), false) == EncoderNames());
  EncoderNames newer;
  newer.window = "audio_encoder.front_end.spectrogram_window";
  newer.filters = "audio_encoder.front_end.melscale_fbanks";
  CHECK(find_encoder_names(tensors_of(newer), false) == newer);
}

TEST_CASE("both branches of an audio encoder are found in whatever modules they lie") {
  const std::vector<EncoderNames> layouts = {
      nested("audio_encoder.model.", "audio_encoder."),
      nested("audio_encoder.encoder.model.", "audio_encoder.encoder."),
      nested("audio_encoder.audio_tokenizer.encoder.model.", "audio_encoder.audio_tokenizer.encoder."),
      nested("audio_encoder.semantic.", "audio_encoder.acoustic."),
      nested("audio_encoder.", "audio_encoder.acoustic."),
      nested("audio_encoder.semantic.", "audio_encoder."),
      flat(),
  };
  for (const EncoderNames& names : layouts) {
    INFO(names.blocks << " and " << names.acoustic->patch_embed);
    CHECK(find_encoder_names(tensors_of(names), true) == names);
    CHECK(find_encoder_names(tensors_of(names), false) == names);  // the tensors say it themselves
  }
}

TEST_CASE("two branches with as many mel bins are told apart by where they lie") {
  for (const EncoderNames& names :
       {nested("audio_encoder.model.", "audio_encoder."), nested("audio_encoder.", "audio_encoder.acoustic.")}) {
    CHECK(find_encoder_names(tensors_of(names, 64), true) == names);
  }
}

TEST_CASE("what tensors of the front ends would be called is said where there are none") {
  const EncoderNames names = nested("audio_encoder.encoder.model.", "audio_encoder.encoder.");
  CHECK(find_encoder_names(tensors_of(names, 100, /*frontend=*/false), true) == names);
}

TEST_CASE("all tensors that are missing of two branches are listed at once") {
  TensorShapes tensors = tensors_of(nested("audio_encoder.model.", "audio_encoder."));
  tensors.erase("audio_encoder.model.norm.weight");
  tensors.erase("audio_encoder.model.time_pos_embed");
  tensors.erase("audio_encoder.patch_embed.bias");
  const std::string error = error_of(tensors, true);
  CHECK_THAT(error, Contains("two branches"));
  CHECK_THAT(error, Contains("norm.{weight,bias} [dim] of the Dasheng encoder") && Contains("time_pos_embed [1, dim"));
  CHECK_THAT(error, Contains("patch_embed.bias") && !Contains("init_bn") && !Contains("freq_pos_embed"));
}

TEST_CASE("a branch that the configuration speaks of must be there") {
  const std::string error = error_of(tensors_of({}), true);
  CHECK_THAT(error, Contains("patch_embed.weight [dim, 1, bins, frames] of the acoustic branch"));
  CHECK_THAT(error, Contains("norm.{weight,bias} [dim] of the acoustic branch") && !Contains("Dasheng encoder"));
  CHECK_THAT(error_of({}, true), Contains("blocks.N.attn.qkv.weight") && Contains("init_bn"));
  // Each branch alone: what is there is not taken for the other's.
  TensorShapes acoustic = tensors_of(flat());
  std::erase_if(acoustic, [](const auto& item) { return item.first.find("acoustic_") == std::string::npos; });
  CHECK_THAT(error_of(acoustic, false), Contains("the transformer blocks") &&
                                            Contains("patch_embed.proj.weight [dim, 1, bins, frames] of the Dasheng"));
}

TEST_CASE("an encoder without a second branch may lack anything: that is told with its weights") {
  TensorShapes tensors = tensors_of({});
  tensors.erase("audio_encoder.norm.weight");
  tensors.erase("audio_encoder.patch_embed.proj.weight");
  CHECK(find_encoder_names(tensors, false) == EncoderNames());
  CHECK(find_encoder_names({}, false) == EncoderNames());
  tensors["audio_encoder.outputlayer.0.weight"] = {kDim};  // no part of the model
  tensors["audio_encoder.outputlayer.0.bias"] = {kDim};
  CHECK(find_encoder_names(tensors, false) == EncoderNames());
}

TEST_CASE("tensors between which nothing decides are an error that names them") {
  TensorShapes tensors = tensors_of(nested("audio_encoder.model.", "audio_encoder."));
  tensors["audio_encoder.other.blocks.0.attn.qkv.weight"] = {3 * kDim, kDim};
  CHECK_THAT(error_of(tensors, true), Contains("audio_encoder.model.blocks") && Contains("audio_encoder.other.blocks"));
  tensors = tensors_of(flat());
  for (const char* name : {"audio_encoder.second_patch_embed", "audio_encoder.third_patch_embed"}) {
    tensors[std::string(name) + ".weight"] = {kDim, 1, 100, 4};
  }
  tensors.erase("audio_encoder.acoustic_patch_embed.weight");
  CHECK_THAT(error_of(tensors, true), Contains("audio_encoder.second_patch_embed or audio_encoder.third_patch_embed"));
}

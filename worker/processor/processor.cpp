#include "worker/processor/processor.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/processor/label_mask.hpp"
#include "worker/processor/pad_token.hpp"

namespace mdl::worker::processor {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Of a file that a checkpoint may do without.
json read_json_if_there(const fs::path& path) {
  return fs::exists(path) ? formats::read_json(path) : json::object();
}

}  // namespace

AudioSettings AudioSettings::load(const fs::path& folder) {
  AudioSettings settings;
  const json processor = read_json_if_there(folder / "processor_config.json");
  const bool nested = processor.contains("feature_extractor");
  const fs::path origin = folder / (nested ? "processor_config.json" : "preprocessor_config.json");
  const json extractor = nested ? processor.at("feature_extractor") : read_json_if_there(origin);
  const json config = read_json_if_there(folder / "config.json");
  try {
    // Wav2Vec2FeatureExtractor normalises unless it is told not to.
    if (extractor.value("do_normalize", extractor.value("feature_extractor_type", "") == "Wav2Vec2FeatureExtractor")) {
      throw Error(str_cat(origin.string(), " asks for normalised waveforms (do_normalize), which is not supported"),
                  "MiDashengLM's checkpoints have \"do_normalize\": false.");
    }
    settings.sample_rate = extractor.value("sampling_rate", settings.sample_rate);
    settings.subsampling = processor.value("model_subsampling", config.value("subsample_factor", settings.subsampling));
    settings.audio_token = processor.value("audio_token", settings.audio_token);
    settings.audio_bos_token = processor.value("audio_bos_token", settings.audio_bos_token);
    settings.audio_eos_token = processor.value("audio_eos_token", settings.audio_eos_token);
  } catch (const json::exception& error) {
    throw Error(str_cat("cannot read how ", folder.string(), " takes sounds: ", error.what()));
  }
  if (settings.sample_rate < 1 || settings.subsampling < 1 || settings.audio_token.empty()) {
    throw Error(str_cat(origin.string(), " has a sampling rate, subsampling or audio token that cannot be"));
  }
  return settings;
}

std::string expand_audio_tokens(std::string_view text, const std::vector<std::int64_t>& lengths,
                                const AudioSettings& settings) {
  std::string expanded;
  std::size_t clip = 0;
  for (;;) {
    const auto at = text.find(settings.audio_token);
    if (at == std::string_view::npos) { break; }
    if (clip == lengths.size()) {
      throw Error(str_cat("the conversation has more than ", lengths.size(), " \"", settings.audio_token, "\" for ",
                          lengths.size(), lengths.size() == 1 ? " sound" : " sounds"),
                  "A prompt must not hold that token itself.");
    }
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + settings.audio_token.size());
    const bool marked = before.ends_with(settings.audio_bos_token) || text.starts_with(settings.audio_eos_token);
    expanded += before;
    if (!marked) { expanded += settings.audio_bos_token; }
    for (auto left = settings.tokens().count(lengths[clip]); left > 0; --left) { expanded += settings.audio_token; }
    if (!marked) { expanded += settings.audio_eos_token; }
    ++clip;
  }
  if (clip < lengths.size()) {
    throw Error(
        str_cat("the chat template writes ", clip, " \"", settings.audio_token, "\" for ", lengths.size(), " sounds"),
        "It must write one for each part of type audio.");
  }
  return expanded += text;
}

Processor::Processor(text::tokenizer::Tokenizer tokenizer, ChatTemplate chat_template, AudioSettings audio,
                     text::tokenizer::TokenId pad_token)
    : tokenizer_(std::move(tokenizer)),
      template_(std::move(chat_template)),
      audio_(std::move(audio)),
      pad_token_(pad_token),
      user_start_(tokenizer_.encode("<|im_start|>user\n")),
      assistant_start_(tokenizer_.encode("<|im_start|>assistant\n")) {}

Processor Processor::load(const fs::path& folder) {
  text::tokenizer::Tokenizer tokenizer = text::tokenizer::Tokenizer::load(folder);
  AudioSettings audio = AudioSettings::load(folder);
  if (!tokenizer.find(audio.audio_token)) {
    throw Error(str_cat((folder / "tokenizer.json").string(), " has no token \"", audio.audio_token, "\""),
                "Is this the folder of a MiDashengLM checkpoint?");
  }
  const auto pad = find_pad_token(folder, [&](const std::string& token) { return tokenizer.find(token); });
  return {std::move(tokenizer), ChatTemplate::load(folder), std::move(audio),
          static_cast<text::tokenizer::TokenId>(pad)};
}

Processor::Encoded Processor::encode(const std::vector<Message>& conversation, const std::vector<std::int64_t>& lengths,
                                     bool generate) const {
  Encoded encoded;
  encoded.ids = tokenizer_.encode(expand_audio_tokens(template_.apply(conversation, generate), lengths, audio_));
  encoded.labels = label_mask(encoded.ids, user_start_, assistant_start_);
  return encoded;
}

}  // namespace mdl::worker::processor

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "worker/dataset/audio_tokens.hpp"
#include "worker/processor/chat_template.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

namespace mdl::worker::processor {

/// What a checkpoint says about sounds: processor_config.json (also its "feature_extractor"), else
/// preprocessor_config.json, and config.json.
struct AudioSettings {
  int sample_rate = 16000;
  int subsampling = 5;  ///< encoder tokens that become one audio token
  std::string audio_token = "<|AUDIO|>";
  std::string audio_bos_token = "<|audio_bos|>";
  std::string audio_eos_token = "<|audio_eos|>";

  dataset::AudioTokens tokens() const { return {.subsampling = subsampling}; }

  /// Throws UsageError naming the file when it is damaged, and Error when it asks for normalised waveforms, which
  /// MiDashengLM does not use.
  static AudioSettings load(const std::filesystem::path& model_folder);
};

/// `text` with each audio token repeated as often as its clip needs, and with audio_bos and audio_eos around it where
/// neither is there. `lengths`: samples of the clips in order. Throws Error when there are more or fewer audio tokens
/// than clips.
std::string expand_audio_tokens(std::string_view text, const std::vector<std::int64_t>& lengths,
                                const AudioSettings& settings);

/// The text side of a checkpoint: conversation in, token ids and labels out. Immutable, so threads may share it.
class Processor {
 public:
  /// Throws Error naming what is missing from the folder or is not supported.
  static Processor load(const std::filesystem::path& model_folder);

  struct Encoded {
    std::vector<text::tokenizer::TokenId> ids;
    std::vector<std::int64_t> labels;  ///< as long as ids, dataset::kIgnoredLabel outside the assistant's turns
  };
  /// `lengths`: samples of the conversation's clips, in order. `generate` opens the assistant's turn at the end.
  Encoded encode(const std::vector<Message>& conversation, const std::vector<std::int64_t>& lengths,
                 bool generate) const;

  const text::tokenizer::Tokenizer& tokenizer() const { return tokenizer_; }
  const ChatTemplate& chat_template() const { return template_; }
  const AudioSettings& audio() const { return audio_; }
  text::tokenizer::TokenId pad_token() const { return pad_token_; }

 private:
  Processor(text::tokenizer::Tokenizer tokenizer, ChatTemplate chat_template, AudioSettings audio,
            text::tokenizer::TokenId pad_token);

  text::tokenizer::Tokenizer tokenizer_;
  ChatTemplate template_;
  AudioSettings audio_;
  text::tokenizer::TokenId pad_token_;
  std::vector<text::tokenizer::TokenId> user_start_;
  std::vector<text::tokenizer::TokenId> assistant_start_;
};

}  // namespace mdl::worker::processor

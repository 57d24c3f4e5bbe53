#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/text/jinja/template.hpp"

namespace mdl::worker::processor {

/// A part of a message's content: {"type": "text", "text": ...} or {"type": "audio", "audio": ...}.
struct ContentPart {
  std::string type;
  std::string value;
};

struct Message {
  std::string role;
  std::vector<ContentPart> content;
};

/// The chat template of a checkpoint, which writes a conversation as the text that the model was trained on.
/// Immutable, so threads may share it.
class ChatTemplate {
 public:
  /// Looks where transformers does: chat_template.jinja, else chat_template.json, else tokenizer_config.json (a text,
  /// or a list of named ones, of which "default"). Throws Error naming the folder when there is none, or the file and
  /// line when it uses what is not supported.
  static ChatTemplate load(const std::filesystem::path& folder);

  /// The conversation as text. `add_generation_prompt` opens the assistant's turn. Throws Error as Template::render
  /// does.
  std::string apply(const std::vector<Message>& conversation, bool add_generation_prompt) const;
  /// The same with messages and variables as the caller has them (`messages`, `add_generation_prompt`, `tools`, ...).
  std::string apply(const text::jinja::Value& variables) const;

  const std::string& source() const { return source_; }

 private:
  ChatTemplate(std::string origin, std::string source, text::jinja::Value variables);

  std::string origin_;  // file, for messages
  std::string source_;
  text::jinja::Template template_;
  text::jinja::Value variables_;  // the special tokens
};

}  // namespace mdl::worker::processor

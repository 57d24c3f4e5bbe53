#include "worker/convert/json_row.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::convert {
namespace {

using nlohmann::json;
using processor::ContentPart;
using processor::Message;

constexpr const char* kAudioTag = "<audio>";
constexpr std::size_t kMostMessages = 1000;

/// A text under a key; nothing where it is not there, null or empty.
std::optional<std::string> text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) { return std::nullopt; }
  if (!found->is_string()) { throw Error(str_cat("\"", key, "\" is ", found->type_name(), ", not a text")); }
  const auto& text = found->get_ref<const std::string&>();
  return text.empty() ? std::nullopt : std::optional(text);
}

ContentPart read_part(const json& part) {
  if (!part.is_object()) { throw Error("a part of \"content\" is no object"); }
  const std::string type = text_at(part, "type").value_or("");
  if (type == "text") { return {"text", text_at(part, "text").value_or("")}; }
  if (type != "audio") {
    throw Error(str_cat("a part of \"content\" has the type \"", type, "\"; text and audio are taken"));
  }
  std::optional<std::string> sound;
  for (const char* key : {"path", "url", "audio", "audio_url"}) {
    const auto value = text_at(part, key);
    if (value && sound && *value != *sound) { throw Error("a part of type audio names 2 sounds"); }
    if (value) { sound = value; }
  }
  if (!sound) { throw Error("a part of type audio has neither \"path\" nor \"url\""); }
  return {"audio", *sound};
}

/// A text, with a part of type audio wherever it has the tag.
void add_tagged_text(std::vector<ContentPart>& parts, std::string_view text) {
  for (auto at = text.find(kAudioTag); at != std::string_view::npos; at = text.find(kAudioTag)) {
    if (at > 0) { parts.push_back({"text", std::string(text.substr(0, at))}); }
    parts.push_back({"audio", ""});
    text.remove_prefix(at + std::string_view(kAudioTag).size());
  }
  if (!text.empty()) { parts.push_back({"text", std::string(text)}); }
}

Message read_message(const json& message, bool takes_tags) {
  if (!message.is_object()) { throw Error("one of \"messages\" is no object"); }
  Message read{text_at(message, "role").value_or(""), {}};
  if (read.role != "system" && read.role != "user" && read.role != "assistant") {
    throw Error(str_cat("a message has the role \"", read.role, "\"; system, user and assistant are taken"));
  }
  const auto content = message.find("content");
  if (content != message.end() && content->is_string()) {
    const auto& text = content->get_ref<const std::string&>();
    if (takes_tags && read.role == "user") {
      add_tagged_text(read.content, text);
    } else if (!text.empty()) {
      read.content.push_back({"text", text});
    }
  } else if (content != message.end() && content->is_array()) {
    for (const json& part : *content) { read.content.push_back(read_part(part)); }
  }
  std::erase_if(read.content, [](const ContentPart& part) { return part.type == "text" && part.value.empty(); });
  if (read.content.empty()) { throw Error(str_cat("a message of the ", read.role, " has no content")); }
  for (const ContentPart& part : read.content) {
    if (part.type == "audio" && read.role != "user") {
      throw Error(str_cat("a sound is in a message of the ", read.role, "; it belongs into one of the user"));
    }
  }
  return read;
}

/// What the keys "audio" and "audios" of the row say.
std::vector<std::string> sounds_of_row(const json& row) {
  std::vector<std::string> sounds;
  if (const auto sound = text_at(row, "audio")) { sounds.push_back(*sound); }
  const auto list = row.find("audios");
  if (list == row.end() || list->is_null()) { return sounds; }
  const json listed = list->is_array() ? *list : json::array({*list});
  for (const json& sound : listed) {
    if (!sound.is_string()) { throw Error("\"audios\" is no list of paths"); }
    if (sounds.empty() || sounds.front() != sound.get<std::string>()) { sounds.push_back(sound.get<std::string>()); }
  }
  return sounds;
}

std::vector<ContentPart*> sound_parts(std::vector<Message>& messages) {
  std::vector<ContentPart*> parts;
  for (Message& message : messages) {
    for (ContentPart& part : message.content) {
      if (part.type == "audio") { parts.push_back(&part); }
    }
  }
  return parts;
}

/// Puts the row's one sound into the messages, and into `row.audio`.
void place_sound(Row& row, const std::vector<std::string>& of_row) {
  auto parts = sound_parts(row.messages);
  const std::size_t sounds = of_row.empty() ? parts.size() : of_row.size();
  if (sounds > 1) { throw Error(str_cat("it has ", sounds, " sounds; one a row is taken")); }
  if (parts.size() > 1) { throw Error(str_cat("it has ", parts.size(), " places for its sound; one is taken")); }
  if (parts.empty() && of_row.size() == 1) {
    for (Message& message : row.messages) {
      if (message.role != "user") { continue; }
      message.content.insert(message.content.begin(), {"audio", ""});
      break;
    }
    parts = sound_parts(row.messages);
  }
  if (parts.empty()) {
    throw Error(of_row.empty() ? "it has no sound: no part of type audio in a message of the user"
                               : "it has no message of the user for its sound");
  }
  if (parts.front()->value.empty()) {  // only where the row has one
    parts.front()->value = of_row.front();
  } else if (of_row.size() == 1 && of_row.front() != parts.front()->value) {
    throw Error("it has 2 sounds, one in a message and another beside them; one a row is taken");
  }
  row.audio = parts.front()->value;
}

std::string joined_text(const Message& message) {
  std::string text;
  for (const ContentPart& part : message.content) { text += part.value; }
  return text;
}

Row row_of_messages(const json& object) {
  const json& messages = object.at("messages");
  if (!messages.is_array() || messages.empty()) { throw Error("\"messages\" is no list of messages"); }
  if (messages.size() > kMostMessages) {
    throw Error(str_cat("it has ", messages.size(), " messages; at most ", kMostMessages, " are taken"));
  }
  const std::vector<std::string> sounds = sounds_of_row(object);
  Row row;
  for (const json& message : messages) { row.messages.push_back(read_message(message, !sounds.empty())); }
  row.system_prompt = text_at(object, "system_prompt");
  row.user_prompt = text_at(object, "user_prompt");
  row.prediction = text_at(object, "prediction");
  if (row.messages.back().role == "assistant") {
    row.prediction = joined_text(row.messages.back());
    row.messages.pop_back();
  }
  place_sound(row, sounds);
  return row;
}

/// The object of a line. No key of it may stand there twice: which of its values is meant?
json parse_line(const std::string& line) {
  if (json_nesting(line) > kMaxJsonNesting) {
    throw Error(str_cat("its JSON is nested deeper than ", kMaxJsonNesting));
  }
  std::set<std::string> keys;
  const json::parser_callback_t see = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event != json::parse_event_t::key || depth != 1) { return true; }
    if (!keys.insert(parsed.get<std::string>()).second) {
      throw Error(str_cat("the key \"", parsed.get<std::string>(), "\" stands there twice"));
    }
    return true;
  };
  try {
    return json::parse(line, see);
  } catch (const json::out_of_range&) {
    throw Error("it has a number that is too large");
  } catch (const json::exception&) { throw Error("it is not an object in JSON"); }
}

}  // namespace

Row row_of_json(const std::string& line) {
  const json object = parse_line(line);
  if (!object.is_object()) { throw Error(str_cat("it is ", object.type_name(), ", not an object in JSON")); }
  if (object.contains("messages")) { return row_of_messages(object); }
  const std::vector<std::string> sounds = sounds_of_row(object);
  if (sounds.size() > 1) { throw Error(str_cat("it has ", sounds.size(), " sounds; one a row is taken")); }
  return {.audio = sounds.empty() || sounds.front().empty() ? std::nullopt : std::optional(sounds.front()),
          .system_prompt = text_at(object, "system_prompt"),
          .user_prompt = text_at(object, "user_prompt"),
          .prediction = text_at(object, "prediction")};
}

}  // namespace mdl::worker::convert

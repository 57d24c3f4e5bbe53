#include "worker/processor/chat_template.hpp"

#include <optional>
#include <utility>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/processor/special_tokens.hpp"

namespace mdl::worker::processor {
namespace fs = std::filesystem;
namespace {

constexpr const char* kAdvice =
    "Templates of the Qwen family work. Put another one that says the same into chat_template.jinja in the "
    "checkpoint's folder.";

/// Under "chat_template": the text itself, or "default" of a list of named templates.
std::optional<std::string> pick(const nlohmann::json& document) {
  const nlohmann::json value = document.value("chat_template", nlohmann::json());
  if (value.is_string() && !value.get<std::string>().empty()) { return value.get<std::string>(); }
  if (value.is_array()) {
    for (const auto& named : value) {
      if (named.value("name", "") == "default") { return named.at("template").get<std::string>(); }
    }
  }
  return std::nullopt;
}

text::jinja::Template compile(const std::string& origin, const std::string& source) {
  try {
    return text::jinja::Template(source);
  } catch (const Error& error) {
    throw Error(str_cat("cannot use the chat template of ", origin, ": ", error.problem()), kAdvice);
  }
}

}  // namespace

ChatTemplate::ChatTemplate(std::string origin, std::string source, text::jinja::Value variables)
    : origin_(std::move(origin)),
      source_(std::move(source)),
      template_(compile(origin_, source_)),
      variables_(std::move(variables)) {}

ChatTemplate ChatTemplate::load(const fs::path& folder) {
  text::jinja::Value variables = text::jinja::Value::object();
  for (const auto& [role, token] : load_special_tokens(folder)) { variables[role] = token; }
  if (const fs::path path = folder / "chat_template.jinja"; fs::exists(path)) {
    return {path.string(), read_text(path), std::move(variables)};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) { continue; }
    const nlohmann::json document = formats::read_json(path);
    try {
      if (auto source = pick(document)) { return {path.string(), std::move(*source), std::move(variables)}; }
    } catch (const nlohmann::json::exception& error) { throw Error(str_cat(path.string(), ": ", error.what())); }
  }
  throw Error(str_cat(folder.string(), " has no chat template"),
              "One is expected in chat_template.jinja, or under \"chat_template\" in tokenizer_config.json.");
}

std::string ChatTemplate::apply(const std::vector<Message>& conversation, bool add_generation_prompt) const {
  text::jinja::Value messages = text::jinja::Value::array();
  for (const Message& message : conversation) {
    text::jinja::Value content = text::jinja::Value::array();
    for (const ContentPart& part : message.content) {
      content.push_back({{"type", part.type}, {part.type, part.value}});
    }
    messages.push_back({{"role", message.role}, {"content", std::move(content)}});
  }
  return apply({{"messages", std::move(messages)},
                {"tools", nullptr},
                {"documents", nullptr},
                {"add_generation_prompt", add_generation_prompt}});
}

std::string ChatTemplate::apply(const text::jinja::Value& variables) const {
  text::jinja::Value all = variables_;
  all.update(variables);
  try {
    return template_.render(all);
  } catch (const Error& error) {
    throw Error(str_cat("the chat template of ", origin_, " failed, ", error.problem()), kAdvice);
  }
}

}  // namespace mdl::worker::processor

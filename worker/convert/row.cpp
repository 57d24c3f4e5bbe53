#include "worker/convert/row.hpp"

#include <algorithm>

#include "common/str_cat.hpp"
#include "worker/audio/download.hpp"

namespace mdl::worker::convert {
namespace {

constexpr std::size_t kListedProblems = 50;

/// A row's own text, or the one for all rows; an empty one is none.
std::string own_or_common(const std::optional<std::string>& own, const std::optional<std::string>& common) {
  return own ? *own : common.value_or("");
}

std::vector<processor::Message> messages_of_columns(const Row& row, const ConversationDefaults& defaults) {
  std::vector<processor::Message> messages;
  if (const std::string system = own_or_common(row.system_prompt, defaults.system_prompt); !system.empty()) {
    messages.push_back({"system", {{"text", system}}});
  }
  messages.push_back({"user", {{"audio", audio_of(row, defaults)}}});
  if (const std::string user = own_or_common(row.user_prompt, defaults.user_prompt); !user.empty()) {
    messages.back().content.push_back({"text", user});
  }
  return messages;
}

std::vector<processor::Message> completed_messages(const Row& row, const ConversationDefaults& defaults) {
  std::vector<processor::Message> messages = row.messages;
  processor::Message* with_sound = nullptr;
  bool has_system = false, asks = false;
  for (processor::Message& message : messages) {
    has_system = has_system || message.role == "system";
    for (processor::ContentPart& part : message.content) {
      asks = asks || (message.role == "user" && part.type == "text");
      if (part.type != "audio") { continue; }
      part.value = audio_of(row, defaults);
      with_sound = &message;
    }
  }
  const std::string user = own_or_common(row.user_prompt, defaults.user_prompt),
                    system = own_or_common(row.system_prompt, defaults.system_prompt);
  if (!asks && !user.empty() && with_sound) { with_sound->content.push_back({"text", user}); }
  if (!has_system && !system.empty()) { messages.insert(messages.begin(), {"system", {{"text", system}}}); }
  return messages;
}

}  // namespace

std::string audio_of(const Row& row, const ConversationDefaults& defaults) {
  const std::string& audio = row.audio.value();
  return audio::is_url(audio) || defaults.base_dir.empty() ? audio : (defaults.base_dir / audio).string();
}

std::vector<processor::Message> conversation_of(const Row& row, const ConversationDefaults& defaults) {
  auto conversation = row.messages.empty() ? messages_of_columns(row, defaults) : completed_messages(row, defaults);
  if (row.prediction) { conversation.push_back({"assistant", {{"text", *row.prediction}}}); }
  return conversation;
}

std::string row_place(std::int64_t number, std::int64_t line) {
  return line > 0 ? str_cat(number, " (line ", line, ")") : str_cat(number - 1);
}

std::string describe_problems(const std::vector<RowProblem>& problems, const std::filesystem::path& path) {
  std::vector<RowProblem> sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  std::string text =
      str_cat(sorted.size(), sorted.size() == 1 ? " problem" : " problems", " in the rows of ", path.string(), ":");
  for (std::size_t i = 0; i < std::min(sorted.size(), kListedProblems); ++i) {
    const RowProblem& each = sorted[i];
    text += str_cat("\n  row ", row_place(each.number, each.line), ": ", each.what);
  }
  if (sorted.size() > kListedProblems) { text += str_cat("\n  and ", sorted.size() - kListedProblems, " more"); }
  return text;
}

}  // namespace mdl::worker::convert

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/processor/chat_template.hpp"

namespace mdl::worker::convert {

/// A row of the user's file: a sound, what is asked about it and what is to be answered.
struct Row {
  std::int64_t number = 0;  ///< from 1, without the header
  std::int64_t line = 0;    ///< in the file, from 1; 0 for a row of a dataset folder, which counts from 0
  std::optional<std::string> audio{};
  std::optional<std::string> system_prompt{};
  std::optional<std::string> user_prompt{};
  std::optional<std::string> prediction{};
  /// Of a row of messages: all of them but the last one of the assistant, which is the prediction. The part of type
  /// audio is `audio`. Empty where columns say it all.
  std::vector<processor::Message> messages{};
};

/// Something wrong with one row.
struct RowProblem {
  std::int64_t number = 0;
  std::int64_t line = 0;
  std::string what;
};

/// What the command line says for all rows.
struct ConversationDefaults {
  std::optional<std::string> system_prompt;  ///< where a row has none
  std::optional<std::string> user_prompt;
  std::filesystem::path base_dir;  ///< that paths are relative to; empty for the current folder
};

/// The sound of a row: an address, or a path with base_dir before it. `row.audio` is set.
std::string audio_of(const Row& row, const ConversationDefaults& defaults);

/// The row as a conversation: the system's prompt if there is one, the user's turn with the sound and then the prompt,
/// and the prediction as the assistant's turn when it is there. A row's own prompt goes before the default. A row of
/// messages is its messages; the defaults stand in front of and in them where there is no system's message or no text
/// of the user.
std::vector<processor::Message> conversation_of(const Row& row, const ConversationDefaults& defaults);

/// How people know a row: "5 (line 7)" of a file; of a dataset folder, where `line` is 0, its number from 0.
std::string row_place(std::int64_t number, std::int64_t line);

/// "3 rows of FILE cannot be converted:" and a line for each, the first fifty of them.
std::string describe_problems(const std::vector<RowProblem>& problems, const std::filesystem::path& path);

}  // namespace mdl::worker::convert

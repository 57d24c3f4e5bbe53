#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/dataset/csv.hpp"
#include "worker/processor/chat_template.hpp"

namespace mdl::worker::convert {

/// A row of the user's CSV file.
struct Row {
  std::int64_t number = 0;  ///< from 1, without the header
  std::int64_t line = 0;    ///< in the file, from 1
  std::optional<std::string> audio;
  std::optional<std::string> system_prompt;
  std::optional<std::string> user_prompt;
  std::optional<std::string> prediction;
};

/// Something wrong with one row.
struct RowProblem {
  std::int64_t number = 0;
  std::int64_t line = 0;
  std::string what;
};

struct RowFile {
  std::vector<Row> rows;
  std::vector<RowProblem> problems;         ///< rows with more fields than the header
  std::vector<dataset::CsvRecord> records;  ///< the file as it is: the header, then a record for each row
};

/// Reads the columns audio, system_prompt, user_prompt and prediction; others are ignored. Throws UsageError naming the
/// file when it cannot be read, is not UTF-8, has no rows, or lacks the column audio.
RowFile read_rows(const std::filesystem::path& path);

/// Throws UsageError that lists the file's columns when this one is not there.
void require_column(const RowFile& file, const std::filesystem::path& path, const std::string& name);

/// What the command line says for all rows.
struct ConversationDefaults {
  std::optional<std::string> system_prompt;  ///< where a row has none
  std::optional<std::string> user_prompt;
  std::filesystem::path base_dir;  ///< that paths are relative to; empty for the current folder
};

/// The sound of a row: an address, or a path with base_dir before it. `row.audio` is set.
std::string audio_of(const Row& row, const ConversationDefaults& defaults);

/// The row as a conversation: the system's prompt if there is one, the user's turn with the sound and then the prompt,
/// and the prediction as the assistant's turn when it is there. A row's own prompt goes before the default.
std::vector<processor::Message> conversation_of(const Row& row, const ConversationDefaults& defaults);

/// "3 rows of FILE cannot be converted:" and a line for each, the first fifty of them.
std::string describe_problems(const std::vector<RowProblem>& problems, const std::filesystem::path& path);

}  // namespace mdl::worker::convert

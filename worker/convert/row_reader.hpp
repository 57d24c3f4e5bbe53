#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "worker/convert/dataset_writer.hpp"
#include "worker/convert/row_file.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::convert {

/// What the check of a row found out.
struct CheckedRow {
  std::int64_t samples = 0;  ///< at the model's rate; assumed for an address, which is not fetched yet
  std::int64_t tokens = 0;   ///< of the text, audio tokens included
  std::int64_t file_size = 0;
  std::int64_t file_time = 0;
};

/// What becomes of a row: training takes its prediction as the assistant's turn; answering ignores it and opens that
/// turn.
enum class RowPurpose { training, answering };

/// Turns rows of a file into what the model takes. Several threads may share one. Refers to its arguments. A row
/// whose text has more than `most_tokens` tokens, audio tokens included, is a bad one.
class RowReader {
 public:
  RowReader(const processor::Processor& processor, const RowOptions& options, RowPurpose purpose,
            std::int64_t most_tokens = std::numeric_limits<std::int64_t>::max())
      : processor_(processor), options_(options), purpose_(purpose), most_tokens_(most_tokens) {}

  const processor::Processor& processor() const { return processor_; }

  /// The conversation of a row, as it is tokenized.
  std::vector<processor::Message> conversation(const Row& row) const;

  /// Checks the columns, the sound file's header and the text, without reading the sound. Throws Error.
  CheckedRow check(const Row& row) const;

  /// Checks all rows of `file`, which was read from `path`, on several threads with a progress bar. UsageError lists
  /// all bad ones; with `skip_bad` they are taken out of `file` instead, with a warning each, unless all are bad.
  std::vector<CheckedRow> check_all(RowFile& file, const std::filesystem::path& path, bool skip_bad = false) const;

  /// Reads or fetches the sound and tokenizes the text. Throws Error.
  ConvertedRow read(const Row& row) const;

 private:
  Row for_purpose(const Row& row) const;
  const processor::Processor& processor_;
  const RowOptions& options_;
  RowPurpose purpose_;
  std::int64_t most_tokens_;
};

/// Reads a file of rows and checks what needs no model, which may still have to be downloaded: the columns, and that
/// the rows' sound files are there. UsageError lists all bad rows; with `skip_bad` only when all are bad.
void check_without_model(const std::filesystem::path& path, const ConversationDefaults& defaults, RowPurpose purpose,
                         bool skip_bad = false);

/// Throws Error when a prompt has more tokens than --max-length leaves for it.
void require_room(std::int64_t tokens, std::int64_t most_tokens);

/// Warns that a row of the file `path` is left out.
void warn_left_out(const RowProblem& problem, const std::filesystem::path& path);

/// What `error` says is wrong with a row, without advice: one line for each is enough. Throws Error for memory that ran
/// out, which is no fault of the row.
std::string problem_of(const Row& row, const std::exception& error);

}  // namespace mdl::worker::convert

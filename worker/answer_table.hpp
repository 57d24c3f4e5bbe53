#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "worker/cli/progress_bar.hpp"
#include "worker/convert/row_file.hpp"
#include "worker/generation/answer_journal.hpp"
#include "worker/generation/batch_answers.hpp"
#include "worker/inference_options.hpp"

namespace mdl::worker {

/// Rank 0's part of a run: the journal, the progress, the file at the end. Refers to its arguments.
class AnswerTable {
 public:
  /// `fingerprint`: of what the answers depend on; answers of an earlier run with the same one are taken over.
  AnswerTable(const InferenceOptions& options, const convert::RowFile& file, const std::string& fingerprint);

  /// Places in file.rows of those that are not answered.
  std::vector<std::size_t> rows_left() const;

  void take(const generation::BatchAnswers& batch);

  /// The answers of all rows. Throws Error that lists those that could not be answered, if there are any.
  const generation::Answers& complete();

  /// Ends the run: what came of the answers is written, and they need not be kept any more. Tells that `file` has so
  /// many rows, which were `done` ("answered").
  void close(int64_t processes, const std::filesystem::path& file, const std::string& done);

  /// Writes the output, and closes. Throws as complete() does.
  void finish(int64_t processes);

 private:
  const InferenceOptions& options_;
  const convert::RowFile& file_;
  generation::AnswerJournal journal_;
  std::vector<convert::RowProblem> problems_;
  int64_t cut_ = 0;
  std::optional<cli::ProgressBar> progress_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace mdl::worker

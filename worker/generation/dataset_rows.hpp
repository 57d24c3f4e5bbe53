#pragma once

#include <filesystem>

#include "worker/dataset/dataset_view.hpp"
#include "worker/generation/question.hpp"
#include "worker/generation/row_source.hpp"

namespace mdl::worker::generation {

/// The rows of a dataset as rows of a file, with their numbers alone: what needs no tokenizer. People are told the
/// numbers that datasets have, from 0.
convert::RowFile numbered_rows(const dataset::DatasetView& dataset);

/// The rows of a dataset folder. Refers to its arguments.
class DatasetRows : public RowSource {
 public:
  /// `file`: numbered_rows(). `path` is the folder, `threads` read rows.
  DatasetRows(convert::RowFile& file, const std::filesystem::path& path, const dataset::DatasetView& dataset,
              const processor::Processor& processor, int64_t most_prompt_tokens, std::size_t threads);

  /// The file's rows get their right answers, and lines {"row": 0, "prediction": "…"}. Throws UsageError that lists
  /// rows without a right answer, or without room for one. Sounds are looked at when they are loaded.
  std::vector<convert::CheckedRow> check_all() const override;
  LoadedRows load(const std::vector<convert::Row>& rows) const override;
  /// As they are in the dataset: several turns may be labelled.
  std::vector<dataset::Sample> labelled(const LoadedRows& rows) const override;

 private:
  convert::ConvertedRow read(const convert::Row& row) const;

  convert::RowFile& file_;
  const std::filesystem::path& path_;
  const dataset::DatasetView& dataset_;
  QuestionReader questions_;
  int64_t most_prompt_tokens_;
  std::size_t threads_;
};

}  // namespace mdl::worker::generation

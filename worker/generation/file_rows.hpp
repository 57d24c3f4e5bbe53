#pragma once

#include <filesystem>

#include "worker/generation/row_source.hpp"

namespace mdl::worker::generation {

/// The rows of a file. Refers to its arguments.
class FileRows : public RowSource {
 public:
  /// `file` was read from `path`. A prompt of more tokens than `most_prompt_tokens`, audio tokens included, is a bad
  /// row.
  FileRows(convert::RowFile& file, const std::filesystem::path& path, const processor::Processor& processor,
           const convert::RowOptions& options, int64_t most_prompt_tokens);

  std::vector<convert::CheckedRow> check_all() const override;
  LoadedRows load(const std::vector<convert::Row>& rows) const override;
  std::vector<dataset::Sample> labelled(const LoadedRows& rows) const override;

 private:
  convert::RowFile& file_;
  const std::filesystem::path& path_;
  const convert::RowOptions& options_;
  convert::RowReader prompts_, conversations_;
};

}  // namespace mdl::worker::generation

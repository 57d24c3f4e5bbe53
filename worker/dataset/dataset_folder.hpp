#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "worker/dataset/sample.hpp"

namespace mdl::worker::dataset {

/// The data files of a dataset's folder: those that its state.json lists. Throws UsageError when it is no such folder.
std::vector<std::filesystem::path> list_data_files(const std::filesystem::path& folder);

/// A dataset as Hugging Face's save_to_disk writes it and `convert-dataset` prepares it: state.json names the
/// data-*.arrow files (Arrow IPC streams), which have the columns input_ids, attention_mask, labels (lists of
/// integers, signed or not, or bool), input_values (lists of float16, float32, float64 or int16) and audio_length
/// (integer). Lists may be plain, large, or of a fixed size, as other tools write them. Other columns are ignored.
///
/// The files are memory-mapped: opening reads a few bytes for each row, and the ranks of a host share the pages.
class DatasetFolder {
 public:
  /// Opens the folder and checks every row (lengths that must agree, clips without samples, truncated files). Throws
  /// UsageError naming the folder, and the file, row and column where there is one.
  explicit DatasetFolder(const std::filesystem::path& folder);
  ~DatasetFolder();
  DatasetFolder(DatasetFolder&&) noexcept;
  DatasetFolder& operator=(DatasetFolder&&) noexcept;

  int64_t size() const;

  /// Row `row`, from 0. May be called by several threads.
  Sample sample(int64_t row) const;

  const std::filesystem::path& path() const { return folder_; }

  /// "row 5 of FOLDER (file data-00000-of-00001.arrow)", for messages.
  std::string describe(int64_t row) const;

 private:
  struct Chunk;

  static void check_rows(const Chunk& chunk, const std::filesystem::path& file);
  const Chunk& chunk_of(int64_t row) const;

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  ///< record batches in order
};

}  // namespace mdl::worker::dataset

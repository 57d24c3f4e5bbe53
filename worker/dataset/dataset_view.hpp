#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/dataset/dataset_folder.hpp"

namespace mdl::worker::dataset {

/// Rows of one or several dataset folders as one dataset: all of them, or those that a condition leaves. The folders
/// stand one behind the other. Cheap to copy; keeps the folders open.
class DatasetView {
 public:
  using Folders = std::vector<std::shared_ptr<const DatasetFolder>>;

  /// All rows of these folders, of which there is at least one.
  explicit DatasetView(Folders folders);

  /// All rows of one folder. Throws as DatasetFolder does.
  explicit DatasetView(const std::filesystem::path& folder);

  int64_t size() const;

  /// Row `row` of the view, from 0. May be called by several threads.
  Sample sample(int64_t row) const;

  /// "row 5 of FOLDER (file data-00000-of-00001.arrow)": where the row lies, for messages.
  std::string describe(int64_t row) const;

  /// "rows 5, 9 of FOLDER", or of several; "no rows" for none.
  std::string describe(const std::vector<int64_t>& rows) const;

  /// "FOLDER" or "FOLDER, FOLDER".
  std::string names() const;

  const Folders& folders() const { return folders_; }

  /// How many of the view's rows are of each folder; they stand in the folders' order.
  std::vector<int64_t> part_sizes() const;

  /// The rows of this view for which `keep` is true of their number in it.
  DatasetView where(const std::function<bool(int64_t row)>& keep) const;

 private:
  struct Place {
    std::size_t folder;
    int64_t row;  ///< of the folder
  };
  Place place_of(int64_t row) const;

  Folders folders_;
  std::vector<int64_t> begins_;  ///< of each folder among all folders' rows, and their end
  bool all_ = true;              ///< else:
  std::vector<int64_t> rows_;    ///< of the view, as places among all folders' rows, rising
};

}  // namespace mdl::worker::dataset

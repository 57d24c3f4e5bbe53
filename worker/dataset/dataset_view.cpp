#include "worker/dataset/dataset_view.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::dataset {

DatasetView::DatasetView(Folders folders) : folders_(std::move(folders)), begins_{0} {
  for (const auto& folder : folders_) { begins_.push_back(begins_.back() + folder->size()); }
}

DatasetView::DatasetView(const std::filesystem::path& folder)
    : DatasetView(Folders{std::make_shared<const DatasetFolder>(folder)}) {}

int64_t DatasetView::size() const {
  return all_ ? begins_.back() : std::ssize(rows_);
}

DatasetView::Place DatasetView::place_of(int64_t row) const {
  if (row < 0 || row >= size()) { throw Error(str_cat("row ", row, " is outside the dataset ", names())); }
  const int64_t among_all = all_ ? row : rows_[static_cast<std::size_t>(row)];
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), among_all);
  const auto folder = static_cast<std::size_t>(after - begins_.begin()) - 1;
  return {folder, among_all - begins_[folder]};
}

Sample DatasetView::sample(int64_t row) const {
  const Place place = place_of(row);
  return folders_[place.folder]->sample(place.row);
}

std::string DatasetView::describe(int64_t row) const {
  const Place place = place_of(row);
  return folders_[place.folder]->describe(place.row);
}

std::string DatasetView::describe(const std::vector<int64_t>& rows) const {
  std::vector<std::string> of_folders(folders_.size());
  for (const int64_t row : rows) {
    const Place place = place_of(row);
    std::string& list = of_folders[place.folder];
    list += str_cat(list.empty() ? "rows " : ", ", place.row);
  }
  std::string text;
  for (std::size_t i = 0; i < of_folders.size(); ++i) {
    if (of_folders[i].empty()) { continue; }
    text += str_cat(text.empty() ? "" : "; ", of_folders[i], " of ", folders_[i]->path().string());
  }
  return text.empty() ? str_cat("no rows of ", names()) : text;
}

std::string DatasetView::names() const {
  std::string text;
  for (const auto& folder : folders_) { text += str_cat(text.empty() ? "" : ", ", folder->path().string()); }
  return text;
}

std::vector<int64_t> DatasetView::part_sizes() const {
  std::vector<int64_t> sizes;
  for (std::size_t i = 0; i < folders_.size(); ++i) {
    const auto before = [&](int64_t end) { return all_ ? end : std::ranges::lower_bound(rows_, end) - rows_.begin(); };
    sizes.push_back(before(begins_[i + 1]) - before(begins_[i]));
  }
  return sizes;
}

DatasetView DatasetView::where(const std::function<bool(int64_t row)>& keep) const {
  DatasetView view = *this;
  view.rows_.clear();
  view.all_ = false;
  for (int64_t row = 0; row < size(); ++row) {
    if (keep(row)) { view.rows_.push_back(all_ ? row : rows_[static_cast<std::size_t>(row)]); }
  }
  if (std::ssize(view.rows_) == begins_.back()) {
    view.rows_.clear();
    view.all_ = true;
  }
  return view;
}

}  // namespace mdl::worker::dataset

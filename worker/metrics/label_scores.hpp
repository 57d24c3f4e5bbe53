#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdl::worker::metrics {

/// Answers that are labels, beside the right ones: accuracy, and which label was taken for which.
class LabelScores {
 public:
  /// Both in label_form(). Labels are those of the references, sorted; an answer that is none of them is "(other)".
  LabelScores(const std::vector<std::string>& references, const std::vector<std::string>& answers);

  const std::vector<std::string>& labels() const { return labels_; }
  /// How often `answered` was given for `right`, as places in labels(); answered = labels().size(): another text.
  std::int64_t count(std::size_t right, std::size_t answered) const { return counts_[right * columns() + answered]; }
  std::int64_t total(std::size_t right) const;

  std::int64_t correct() const;
  std::int64_t rows() const { return rows_; }
  double accuracy() const;

  /// A line for each label: how often it was right, of how many, and what it was taken for most often.
  std::string table() const;

  /// The confusion matrix as comma-separated values: a line for each right label, a column for each answered one.
  std::string csv() const;

  /// The same as a picture: one self-contained SVG.
  std::string svg() const;

 private:
  std::size_t columns() const { return labels_.size() + 1; }

  std::vector<std::string> labels_;
  std::vector<std::int64_t> counts_;
  std::int64_t rows_ = 0;
};

}  // namespace mdl::worker::metrics

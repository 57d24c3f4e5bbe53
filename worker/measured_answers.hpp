#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/convert/row_file.hpp"
#include "worker/evaluate_options.hpp"
#include "worker/generation/answer_journal.hpp"
#include "worker/metrics/label_scores.hpp"

namespace mdl::worker {

/// The metrics of an evaluation.
class MeasuredAnswers {
 public:
  /// `kept`: generation::MeasuredRow::to_json() of each row of the file.
  MeasuredAnswers(const EvaluateOptions& options, const convert::RowFile& file, const generation::Answers& kept);

  /// Throws UsageError where a file that the options name cannot be read: before the model is.
  static void check(const EvaluateOptions& options);

  /// The answers alone.
  const generation::Answers& answers() const { return answers_; }
  /// With Metric::accuracy.
  const metrics::LabelScores* labels() const { return labels_ ? &*labels_ : nullptr; }

  nlohmann::ordered_json to_json() const;
  /// A line for each metric, and for each label where there are few.
  std::string describe() const;

 private:
  struct Line {
    std::string name;
    double value;
    std::string of;  ///< "13 of 16"
  };
  void add_answers(const EvaluateOptions& options, const std::vector<std::string>& references,
                   const std::vector<std::string>& given);

  std::size_t rows_ = 0;
  generation::Answers answers_;
  std::optional<metrics::LabelScores> labels_;
  std::vector<Line> lines_;
};

/// Makes the folder that an evaluation writes. Throws UsageError where there is something else, or a measurement that
/// is not to be overwritten.
void make_evaluation_folder(const EvaluateOptions& options);

}  // namespace mdl::worker

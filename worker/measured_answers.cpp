#include "worker/measured_answers.hpp"

#include <algorithm>
#include <cstdio>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/generation/row_scores.hpp"
#include "worker/metrics/answer_comparison.hpp"
#include "worker/metrics/normal_form.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostLabelsTold = 40;

metrics::EnglishText english_of(const EvaluateOptions& options) {
  return options.spellings ? metrics::EnglishText(metrics::read_spellings(*options.spellings)) : metrics::EnglishText();
}

double part(std::int64_t of, std::int64_t all) {
  return static_cast<double>(of) / static_cast<double>(std::max<std::int64_t>(1, all));
}

std::vector<std::string> all_of(const std::vector<std::string>& texts, std::string (*form)(const std::string&)) {
  std::vector<std::string> forms;
  for (const std::string& text : texts) { forms.push_back(form(text)); }
  return forms;
}

}  // namespace

void MeasuredAnswers::check(const EvaluateOptions& options) {
  english_of(options);
}

MeasuredAnswers::MeasuredAnswers(const EvaluateOptions& options, const convert::RowFile& file,
                                 const generation::Answers& kept)
    : rows_(file.rows.size()) {
  std::vector<std::string> references, given;
  generation::RowScore score;
  for (const convert::Row& row : file.rows) {
    const auto measured = generation::MeasuredRow::from_json(kept.at(row.number));
    answers_[row.number] = measured.answer;
    references.push_back(row.prediction.value_or(""));
    given.push_back(measured.answer);
    score.loss += measured.score.loss;
    score.tokens += measured.score.tokens;
    score.hits += measured.score.hits;
  }
  add_answers(options, references, given);
  for (const Metric metric : options.metrics) {
    if (metric == Metric::token_accuracy) {
      lines_.push_back(
          {metric_name(metric), part(score.hits, score.tokens), str_cat(score.hits, " of ", score.tokens, " tokens")});
    } else if (metric == Metric::loss) {
      lines_.push_back({metric_name(metric), score.loss / static_cast<double>(std::max<std::int64_t>(1, score.tokens)),
                        str_cat(score.tokens, " tokens")});
    }
  }
}

void MeasuredAnswers::add_answers(const EvaluateOptions& options, const std::vector<std::string>& references,
                                  const std::vector<std::string>& given) {
  const metrics::EnglishText english = english_of(options);
  for (const Metric metric : options.metrics) {
    metrics::ErrorRate rate;
    std::int64_t same = 0;
    if (metric == Metric::accuracy) {
      labels_.emplace(all_of(references, metrics::label_form), all_of(given, metrics::label_form));
      lines_.push_back({metric_name(metric), labels_->accuracy(),
                        str_cat(labels_->correct(), " of ", rows_, " rows, ", labels_->labels().size(), " labels")});
    } else if (metric == Metric::exact_match) {
      for (std::size_t i = 0; i < references.size(); ++i) {
        same += metrics::is_exact_match(references[i], given[i]) ? 1 : 0;
      }
      lines_.push_back(
          {metric_name(metric), part(same, std::ssize(references)), str_cat(same, " of ", rows_, " rows")});
    } else if (metric == Metric::wer) {
      for (std::size_t i = 0; i < references.size(); ++i) {
        metrics::add_english(rate, english, references[i], given[i]);
      }
      lines_.push_back({metric_name(metric), rate.rate(), str_cat(rate.edits, " edits in ", rate.units, " words")});
    } else if (metric == Metric::cer) {
      for (std::size_t i = 0; i < references.size(); ++i) { metrics::add_text(rate, references[i], given[i]); }
      lines_.push_back(
          {metric_name(metric), rate.rate(), str_cat(rate.edits, " edits in ", rate.units, " characters")});
    }
  }
}

nlohmann::ordered_json MeasuredAnswers::to_json() const {
  nlohmann::ordered_json json = {{"rows", rows_}};
  for (const Line& line : lines_) { json[line.name] = line.value; }
  if (!labels_) { return json; }
  nlohmann::ordered_json by_label = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < labels_->labels().size(); ++i) {
    by_label[labels_->labels()[i]] = {{"rows", labels_->total(i)}, {"right", labels_->count(i, i)}};
  }
  json["by label"] = by_label;
  return json;
}

std::string MeasuredAnswers::describe() const {
  std::string text;
  for (const Line& line : lines_) {
    char value[32];
    std::snprintf(value, sizeof value, "%-15s %.4f", line.name.c_str(), line.value);
    text += str_cat(value, "  (", line.of, ")\n");
  }
  if (labels_ && labels_->labels().size() > 1 && labels_->labels().size() <= kMostLabelsTold) {
    text += labels_->table();
  }
  return text;
}

void make_evaluation_folder(const EvaluateOptions& options) {
  const fs::path& output = options.output;
  std::error_code error;
  for (const fs::path& file : {output / "metrics.json", options.inference.output}) {
    if (options.overwrite || !fs::exists(file, error)) { continue; }
    throw UsageError(str_cat("--output ", output.string(), " holds a measurement already: ", file.filename().string()),
                     "Name another folder, or say --overwrite-output true, which replaces it.");
  }
  if (fs::exists(output, error) && !fs::is_directory(output, error)) {
    throw UsageError(str_cat("--output ", output.string(), " is a file, not a folder"), "Name another folder.");
  }
  fs::create_directories(output, error);
  if (error) { throw UsageError(str_cat("--output ", output.string(), " cannot be made: ", error.message())); }
}

}  // namespace mdl::worker

#include "worker/generation/dataset_rows.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/parallel.hpp"

namespace mdl::worker::generation {
namespace {

namespace fs = std::filesystem;

std::string line_of(const convert::Row& row) {
  const nlohmann::ordered_json line = {{"row", row.number - 1}, {"prediction", row.prediction.value_or("")}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<float> samples_of(const dataset::Sample& sample) {
  std::vector<float> waveform;
  std::visit(
      [&](const auto& values) {
        waveform.reserve(static_cast<std::size_t>(sample.audio_length));
        for (const auto value : values.first(static_cast<std::size_t>(sample.audio_length))) {
          waveform.push_back(dataset::to_sample(value));
        }
      },
      sample.waveform);
  return waveform;
}

}  // namespace

convert::RowFile numbered_rows(const dataset::DatasetView& dataset) {
  convert::RowFile file{.format = dataset::RowFormat::jsonl};
  for (int64_t row = 1; row <= dataset.size(); ++row) { file.rows.push_back({.number = row}); }
  return file;
}

DatasetRows::DatasetRows(convert::RowFile& file, const fs::path& path, const dataset::DatasetView& dataset,
                         const processor::Processor& processor, int64_t most_prompt_tokens, std::size_t threads)
    : file_(file),
      path_(path),
      dataset_(dataset),
      questions_(processor),
      most_prompt_tokens_(most_prompt_tokens),
      threads_(threads) {}

std::vector<convert::CheckedRow> DatasetRows::check_all() const {
  std::vector<convert::CheckedRow> checked(file_.rows.size());
  std::vector<std::string> faults(file_.rows.size());
  dataset::parallel_for(file_.rows.size(), threads_, [&](std::size_t i) {
    convert::Row& row = file_.rows[i];
    try {
      const dataset::Sample sample = dataset_.sample(row.number - 1);
      const Question question = questions_.read(sample);
      convert::require_room(std::ssize(question.prompt), most_prompt_tokens_);
      row.prediction = question.answer;
      checked[i] = {.samples = sample.audio_length, .tokens = std::ssize(question.prompt)};
    } catch (const Error& error) { faults[i] = error.problem(); }
  });
  std::vector<convert::RowProblem> problems;
  for (std::size_t i = 0; i < file_.rows.size(); ++i) {
    const convert::Row& row = file_.rows[i];
    if (!faults[i].empty()) { problems.push_back({row.number, row.line, faults[i]}); }
    file_.lines.push_back(line_of(row));
  }
  if (!problems.empty()) {
    throw UsageError(convert::describe_problems(problems, path_),
                     "Answers are measured of rows as convert-dataset makes them.");
  }
  if (checked.empty()) { return checked; }
  // The files' facts once, as every fact goes into the fingerprint of the run.
  for (const auto& folder : dataset_.folders()) {
    for (const fs::path& file : dataset::list_data_files(folder->path())) {
      convert::CheckedRow& first = checked.front();
      first.file_size += static_cast<int64_t>(fs::file_size(file));
      first.file_time = std::max<int64_t>(first.file_time, fs::last_write_time(file).time_since_epoch().count());
    }
  }
  return checked;
}

convert::ConvertedRow DatasetRows::read(const convert::Row& row) const {
  const dataset::Sample sample = dataset_.sample(row.number - 1);
  if (const auto fault = dataset::sound_fault(sample)) { throw Error(*fault); }
  const Question question = questions_.read(sample);
  convert::ConvertedRow converted;
  converted.input_ids.assign(question.prompt.begin(), question.prompt.end());
  converted.waveform = samples_of(sample);
  return converted;
}

LoadedRows DatasetRows::load(const std::vector<convert::Row>& rows) const {
  return load_rows(rows, threads_, [&](const convert::Row& row) { return read(row); });
}

std::vector<dataset::Sample> DatasetRows::labelled(const LoadedRows& rows) const {
  std::vector<dataset::Sample> samples;
  for (const convert::Row& row : rows.rows) { samples.push_back(dataset_.sample(row.number - 1)); }
  return samples;
}

}  // namespace mdl::worker::generation

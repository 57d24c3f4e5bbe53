#include "worker/convert/row_reader.hpp"

#include <mutex>
#include <optional>
#include <set>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/audio/audio_file.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/dataset/parallel.hpp"

namespace mdl::worker::convert {
namespace fs = std::filesystem;
namespace {

/// What an address is taken for before it is fetched, in seconds.
constexpr std::int64_t kAssumedSeconds = 10;

constexpr const char* kAdvice = "Nothing was written. Correct these rows or take them out.";

void require_fields(const Row& row, RowPurpose purpose) {
  if (!row.audio) { throw Error("the column audio is empty"); }
  if (row.audio->find('\0') != std::string::npos) { throw Error("the name of its sound holds a zero byte"); }
  if (row.prediction || purpose == RowPurpose::answering) { return; }
  throw Error(row.messages.empty() ? "the column prediction is empty"
                                   : "its last message is not the assistant's, so there is no answer to learn");
}

/// Whether so many problems are too many.
bool end_the_run(const std::set<std::int64_t>& bad, const RowFile& file, bool skip_bad) {
  return !bad.empty() && (!skip_bad || bad.size() >= file.rows.size());
}

std::set<std::int64_t> numbers_of(const std::vector<RowProblem>& problems) {
  std::set<std::int64_t> numbers;
  for (const RowProblem& problem : problems) { numbers.insert(problem.number); }
  return numbers;
}

}  // namespace

std::string problem_of(const Row& row, const std::exception& error) {
  std::string problem = as_error(error).problem();
  if (!is_out_of_memory(error)) { return problem; }
  throw Error(str_cat("row ", row_place(row.number, row.line), ", ", row.audio.value_or("no sound"), ": ", problem),
              "A lower --num-workers has fewer sounds in memory at once.");
}

void check_without_model(const fs::path& path, const ConversationDefaults& defaults, RowPurpose purpose,
                         bool skip_bad) {
  const RowFile file = read_rows(path);
  if (purpose == RowPurpose::training) { require_column(file, path, "prediction"); }
  std::vector<RowProblem> problems = file.problems;
  const std::set<std::int64_t> unreadable = numbers_of(problems);
  for (const Row& row : file.rows) {
    if (unreadable.contains(row.number)) { continue; }
    try {
      require_fields(row, purpose);
      if (const std::string audio = audio_of(row, defaults); !audio::is_url(audio)) { audio::require_file(audio); }
    } catch (const Error& error) { problems.push_back({row.number, row.line, error.problem()}); }
  }
  if (end_the_run(numbers_of(problems), file, skip_bad)) {
    throw UsageError(describe_problems(problems, path), kAdvice);
  }
}

void warn_left_out(const RowProblem& problem, const fs::path& path) {
  log::warning(path.string(), ", row ", row_place(problem.number, problem.line), " is left out: ", problem.what);
}

Row RowReader::for_purpose(const Row& row) const {
  Row wanted = row;
  if (purpose_ == RowPurpose::answering) { wanted.prediction.reset(); }
  return wanted;
}

void require_room(std::int64_t tokens, std::int64_t most_tokens) {
  if (tokens <= most_tokens) { return; }
  throw Error(str_cat("it has ", tokens, " tokens, those of the sound included, and --max-length ", most_tokens + 1,
                      " leaves no room for an answer: --max-new-tokens N limits the answer alone"));
}

std::vector<processor::Message> RowReader::conversation(const Row& row) const {
  return conversation_of(for_purpose(row), options_.defaults);
}

CheckedRow RowReader::check(const Row& row) const {
  require_fields(row, purpose_);
  const std::string audio = audio_of(row, options_.defaults);
  const int rate = processor_.audio().sample_rate;
  CheckedRow checked;
  if (audio::is_url(audio)) {
    checked.samples = kAssumedSeconds * rate;
  } else {
    checked.samples = audio::resampled_length(audio::probe_audio(audio), rate);
    checked.file_size = static_cast<std::int64_t>(fs::file_size(audio));
    checked.file_time = fs::last_write_time(audio).time_since_epoch().count();
  }
  const auto encoded = processor_.encode(conversation(row), {checked.samples}, purpose_ == RowPurpose::answering);
  checked.tokens = std::ssize(encoded.ids);
  if (!audio::is_url(audio)) { require_room(checked.tokens, most_tokens_); }
  return checked;
}

std::vector<CheckedRow> RowReader::check_all(RowFile& file, const fs::path& path, bool skip_bad) const {
  if (purpose_ == RowPurpose::training) { require_column(file, path, "prediction"); }
  std::vector<CheckedRow> checked(file.rows.size());
  std::vector<RowProblem> problems = file.problems;
  const std::set<std::int64_t> unreadable = numbers_of(problems);
  std::mutex mutex;
  cli::ProgressBar progress({.what = "Checking", .total = std::ssize(file.rows)});
  dataset::parallel_for(file.rows.size(), options_.workers, [&](std::size_t i) {
    std::optional<std::string> problem;
    try {
      if (!unreadable.contains(file.rows[i].number)) { checked[i] = check(file.rows[i]); }
    } catch (const std::exception& error) { problem = problem_of(file.rows[i], error); }
    const std::lock_guard lock(mutex);
    progress.add(1);
    if (problem) { problems.push_back({file.rows[i].number, file.rows[i].line, *problem}); }
  });
  if (problems.empty()) { return checked; }
  const std::set<std::int64_t> bad = numbers_of(problems);
  if (end_the_run(bad, file, skip_bad)) { throw UsageError(describe_problems(problems, path), kAdvice); }
  for (const RowProblem& problem : problems) { warn_left_out(problem, path); }
  std::vector<CheckedRow> good;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    if (bad.count(file.rows[i].number)) { continue; }
    good.push_back(checked[i]);
    rows.push_back(file.rows[i]);
  }
  file.rows = std::move(rows);
  return good;
}

ConvertedRow RowReader::read(const Row& row) const {
  const std::string audio = audio_of(row, options_.defaults);
  const int rate = processor_.audio().sample_rate;
  ConvertedRow converted;
  converted.waveform = audio::is_url(audio) ? audio::load_audio(audio::download(audio, options_.downloads), audio, rate)
                                            : audio::load_audio(fs::path(audio), rate);
  auto encoded =
      processor_.encode(conversation(row), {std::ssize(converted.waveform)}, purpose_ == RowPurpose::answering);
  require_room(std::ssize(encoded.ids), most_tokens_);
  converted.input_ids = std::move(encoded.ids);
  converted.labels = std::move(encoded.labels);
  return converted;
}

}  // namespace mdl::worker::convert

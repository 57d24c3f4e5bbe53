#include "worker/convert/row.hpp"

#include <algorithm>
#include <map>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/audio/download.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::convert {
namespace {

constexpr std::size_t kListedProblems = 50;

/// The file is one that the command line names.
std::string read_named_file(const std::filesystem::path& path) {
  try {
    return read_text(path);
  } catch (const Error& error) { throw UsageError(error.problem(), error.advice()); }
}

std::vector<dataset::CsvRecord> read_records(const std::filesystem::path& path) {
  const std::string text = read_named_file(path);
  if (!text::is_utf8(text)) { throw UsageError(str_cat(path.string(), " is not UTF-8"), "Save it as UTF-8."); }
  try {
    return dataset::parse_csv(text);
  } catch (const UsageError& error) { throw UsageError(str_cat(path.string(), ": ", error.problem()), error.advice()); }
}

UsageError missing_column(const std::vector<std::optional<std::string>>& header, const std::filesystem::path& path,
                          const std::string& missing) {
  std::string names;
  for (const auto& name : header) { names += (names.empty() ? "" : ", ") + name.value_or("\"\""); }
  return UsageError(str_cat(path.string(), " has no column \"", missing, "\"; it has: ", names),
                    "The columns are audio, prediction and, if you like, system_prompt and user_prompt.");
}

}  // namespace

RowFile read_rows(const std::filesystem::path& path) {
  auto records = read_records(path);
  if (records.size() < 2) {
    throw UsageError(str_cat(path.string(), " has no rows"),
                     "A first line with the columns' names and one line for each clip are expected.");
  }
  const auto& header = records.front().fields;
  std::map<std::string, std::size_t> columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::optional<std::string>& name = header[i];
    if (name && !columns.emplace(*name, i).second) {
      throw UsageError(str_cat(path.string(), " has two columns named \"", *name, "\""));
    }
  }
  if (!columns.contains("audio")) { throw missing_column(header, path, "audio"); }
  RowFile file;
  for (std::size_t i = 1; i < records.size(); ++i) {
    const dataset::CsvRecord& record = records[i];
    const auto number = static_cast<std::int64_t>(i);
    if (record.fields.size() > header.size()) {
      file.problems.push_back(
          {number, record.line, str_cat("it has ", record.fields.size(), " fields, the header has ", header.size())});
    }
    const auto field = [&](const char* name) -> std::optional<std::string> {
      const auto column = columns.find(name);
      if (column == columns.end() || column->second >= record.fields.size()) { return std::nullopt; }
      return record.fields[column->second];
    };
    file.rows.push_back(
        {number, record.line, field("audio"), field("system_prompt"), field("user_prompt"), field("prediction")});
  }
  file.records = std::move(records);
  return file;
}

void require_column(const RowFile& file, const std::filesystem::path& path, const std::string& name) {
  const auto& header = file.records.front().fields;
  if (std::find(header.begin(), header.end(), name) == header.end()) { throw missing_column(header, path, name); }
}

std::string audio_of(const Row& row, const ConversationDefaults& defaults) {
  const std::string& audio = row.audio.value();
  return audio::is_url(audio) || defaults.base_dir.empty() ? audio : (defaults.base_dir / audio).string();
}

std::vector<processor::Message> conversation_of(const Row& row, const ConversationDefaults& defaults) {
  std::vector<processor::Message> conversation;
  const auto prompt = [](const std::optional<std::string>& own, const std::optional<std::string>& common) {
    return own ? *own : common.value_or("");
  };
  if (const std::string system = prompt(row.system_prompt, defaults.system_prompt); !system.empty()) {
    conversation.push_back({"system", {{"text", system}}});
  }
  conversation.push_back({"user", {{"audio", audio_of(row, defaults)}}});
  if (const std::string user = prompt(row.user_prompt, defaults.user_prompt); !user.empty()) {
    conversation.back().content.push_back({"text", user});
  }
  if (row.prediction) { conversation.push_back({"assistant", {{"text", *row.prediction}}}); }
  return conversation;
}

std::string describe_problems(const std::vector<RowProblem>& problems, const std::filesystem::path& path) {
  std::vector<RowProblem> sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  std::string text =
      str_cat(sorted.size(), sorted.size() == 1 ? " problem" : " problems", " in the rows of ", path.string(), ":");
  for (std::size_t i = 0; i < std::min(sorted.size(), kListedProblems); ++i) {
    text += str_cat("\n  row ", sorted[i].number, " (line ", sorted[i].line, "): ", sorted[i].what);
  }
  if (sorted.size() > kListedProblems) { text += str_cat("\n  and ", sorted.size() - kListedProblems, " more"); }
  return text;
}

}  // namespace mdl::worker::convert

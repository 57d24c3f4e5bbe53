#include "worker/convert/row_file.hpp"

#include <algorithm>
#include <map>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/json_row.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::convert {
namespace {

namespace fs = std::filesystem;

using Fields = std::vector<std::optional<std::string>>;

constexpr const char* kColumnAdvice =
    "The columns are audio, prediction and, if you like, system_prompt and user_prompt.";

/// The file is one that the command line names.
std::string read_named_file(const fs::path& path) {
  try {
    return read_text(path);
  } catch (const Error& error) { throw UsageError(error.problem(), error.advice()); }
}

/// What the text's first line is, without white space around it.
std::string_view first_line(std::string_view text) {
  constexpr const char* kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) { return {}; }
  const std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  return line.substr(0, line.find_last_not_of(kBlank) + 1);
}

/// JSON in another form, as other tools write data, is taken for a table with strange columns, or for broken lines
/// else.
void refuse_other_json(const fs::path& path, const std::string& text, dataset::RowFormat format) {
  const std::string_view line = first_line(text);
  const bool is_lines = line.size() > 1 && line.front() == '{';
  if (is_lines && format != dataset::RowFormat::jsonl) {
    throw UsageError(str_cat(path.string(), " has an object in JSON in its first line, not columns"),
                     "Give it a name that ends in .jsonl.");
  }
  const bool is_list = line.starts_with('['), is_spread = line == "{";
  if (!is_list && !is_spread && path.extension() != ".json") { return; }
  const fs::path better = fs::path(path).replace_extension() += path.extension() == ".jsonl" ? "-rows.jsonl" : ".jsonl";
  throw UsageError(str_cat(path.string(), " is JSON, not rows"),
                   str_cat("One object in each line is taken: jq -c '", is_list ? ".[]" : ".", "' ", path.string(),
                           " > ", better.string()));
}

std::string describe_separator(char separator) {
  return separator == '\t' ? "tabs" : str_cat("\"", std::string(1, separator), "\"");
}

/// What seems to separate the fields of a table whose header is `header`; 0 when nothing does.
char likely_separator(const Fields& header, char separator) {
  for (const char other : {'\t', ';', ',', '|'}) {
    if (other == separator) { continue; }
    for (const auto& field : header) {
      const auto parts = dataset::parse_csv(field.value_or(""), other);
      if (parts.empty() || parts.front().fields.size() < 2) { continue; }
      if (std::ranges::find(parts.front().fields, std::optional<std::string>("audio")) != parts.front().fields.end()) {
        return other;
      }
    }
  }
  return 0;
}

char separator_of(dataset::RowFormat format) {
  return format == dataset::RowFormat::tsv ? '\t' : ',';
}

[[noreturn]] void reject_header(const Fields& header, dataset::RowFormat format, const fs::path& path,
                                const std::string& missing) {
  if (const char other = likely_separator(header, separator_of(format))) {
    const char* const advice = other == '\t'  ? "Name the file .tsv, which has tabs."
                               : other == ',' ? "Name the file .csv, which has commas."
                                              : "Save it with commas between the fields.";
    throw UsageError(str_cat(path.string(), " has ", describe_separator(other), " between its fields, where ",
                             describe_separator(separator_of(format)), " is expected"),
                     advice);
  }
  std::string names;
  for (const auto& name : header) { names += (names.empty() ? "" : ", ") + name.value_or("\"\""); }
  throw UsageError(str_cat(path.string(), " has no column \"", missing, "\"; it has: ", names), kColumnAdvice);
}

std::vector<dataset::CsvRecord> parse_table(const std::string& text, dataset::RowFormat format, const fs::path& path) {
  try {
    return dataset::parse_csv(text, separator_of(format));
  } catch (const UsageError& error) { throw UsageError(str_cat(path.string(), ": ", error.problem()), error.advice()); }
}

RowFile read_table(const std::string& text, dataset::RowFormat format, const fs::path& path) {
  RowFile file{.format = format, .records = parse_table(text, format, path)};
  const std::vector<dataset::CsvRecord>& records = file.records;
  if (records.empty()) { return file; }
  const Fields& header = records.front().fields;
  std::map<std::string, std::size_t> columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::optional<std::string>& name = header[i];
    if (name && !columns.emplace(*name, i).second) {
      throw UsageError(str_cat(path.string(), " has two columns named \"", *name, "\""));
    }
  }
  if (!columns.contains("audio") && records.size() > 1) { reject_header(header, format, path, "audio"); }
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
    file.rows.push_back({.number = number,
                         .line = record.line,
                         .audio = field("audio"),
                         .system_prompt = field("system_prompt"),
                         .user_prompt = field("user_prompt"),
                         .prediction = field("prediction")});
  }
  return file;
}

RowFile read_json_lines(const std::string& text) {
  RowFile file{.format = dataset::RowFormat::jsonl};
  std::size_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (std::int64_t line = 1; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string content = text.substr(begin, end - begin);
    begin = end + 1;
    if (content.find_first_not_of(" \t\r") == std::string::npos) { continue; }
    const auto number = std::ssize(file.rows) + 1;
    Row row;
    try {
      row = row_of_json(content);
    } catch (const Error& error) { file.problems.push_back({number, line, error.problem()}); }
    row.number = number;
    row.line = line;
    file.rows.push_back(std::move(row));
    file.lines.push_back(std::move(content));
  }
  return file;
}

}  // namespace

RowFile read_rows(const fs::path& path) {
  std::error_code none;
  if (fs::is_directory(path, none)) {
    throw UsageError(str_cat(path.string(), " is a folder, not a file of rows (.csv, .tsv, .jsonl)"),
                     "Dataset folders are for train and evaluate.");
  }
  const std::string text = read_named_file(path);
  if (!text::is_utf8(text)) { throw UsageError(str_cat(path.string(), " is not UTF-8"), "Save it as UTF-8."); }
  const dataset::RowFormat format = dataset::row_format(path).value_or(dataset::RowFormat::csv);
  refuse_other_json(path, text, format);
  RowFile file = format == dataset::RowFormat::jsonl ? read_json_lines(text) : read_table(text, format, path);
  if (!file.rows.empty()) { return file; }
  throw UsageError(str_cat(path.string(), " has no rows"),
                   format == dataset::RowFormat::jsonl
                       ? "An object in JSON is expected in each line."
                       : "A first line with the columns' names and one line for each clip are expected.");
}

void require_column(const RowFile& file, const fs::path& path, const std::string& name) {
  if (file.format == dataset::RowFormat::jsonl) { return; }  // each row tells
  const Fields& header = file.records.front().fields;
  if (std::find(header.begin(), header.end(), name) == header.end()) { reject_header(header, file.format, path, name); }
}

}  // namespace mdl::worker::convert

#include "worker/generation/answered_rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mdl::worker::generation {
namespace {

/// A field as csv.writer writes it: in quotes only where it must be.
std::string table_field(const std::string& text, char separator) {
  if (text.find_first_of("\"\r\n") == std::string::npos && text.find(separator) == std::string::npos) { return text; }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') { quoted += '"'; }
    quoted += c;
  }
  return quoted + '"';
}

void add_line(std::string& text, const std::vector<std::optional<std::string>>& fields, char separator) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) { text += separator; }
    text += table_field(fields[i].value_or(""), separator);
  }
  // A single empty field would be a blank line, which is no row.
  if (fields.size() == 1 && fields[0].value_or("").empty()) { text += "\"\""; }
  text += "\r\n";
}

std::string answered_table(const std::vector<dataset::CsvRecord>& records, const Answers& answers,
                           const std::string& name, char separator) {
  auto header = records.front().fields;
  const auto found = std::find(header.begin(), header.end(), std::optional(name));
  const auto column = static_cast<std::size_t>(found - header.begin());
  if (found == header.end()) { header.emplace_back(name); }
  std::string text;
  add_line(text, header, separator);
  for (std::size_t row = 1; row < records.size(); ++row) {
    auto fields = records[row].fields;
    fields.resize(header.size());
    fields[column] = answers.at(static_cast<std::int64_t>(row));
    add_line(text, fields, separator);
  }
  return text;
}

std::string answered_lines(const std::vector<std::string>& lines, const Answers& answers, const std::string& name) {
  std::string text;
  for (std::size_t row = 0; row < lines.size(); ++row) {
    auto object = nlohmann::ordered_json::parse(lines[row]);
    object[name] = answers.at(static_cast<std::int64_t>(row) + 1);
    text += object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
  }
  return text;
}

}  // namespace

std::string answered_rows(const convert::RowFile& file, const Answers& answers, const std::string& name) {
  if (file.format == dataset::RowFormat::jsonl) { return answered_lines(file.lines, answers, name); }
  return answered_table(file.records, answers, name, file.format == dataset::RowFormat::tsv ? '\t' : ',');
}

}  // namespace mdl::worker::generation

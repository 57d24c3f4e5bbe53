#include "worker/generation/answered_csv.hpp"

#include <algorithm>

namespace mdl::worker::generation {
namespace {

void add_line(std::string& text, const std::vector<std::optional<std::string>>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) { text += ','; }
    text += csv_field(fields[i].value_or(""));
  }
  // A single empty field would be a blank line, which is no row.
  if (fields.size() == 1 && fields[0].value_or("").empty()) { text += "\"\""; }
  text += "\r\n";
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) { return text; }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') { quoted += '"'; }
    quoted += c;
  }
  return quoted + '"';
}

std::string answered_csv(const std::vector<dataset::CsvRecord>& records, const Answers& answers,
                         const std::string& name) {
  auto header = records.front().fields;
  const auto found = std::find(header.begin(), header.end(), std::optional(name));
  const auto column = static_cast<std::size_t>(found - header.begin());
  if (found == header.end()) { header.emplace_back(name); }
  std::string text;
  add_line(text, header);
  for (std::size_t row = 1; row < records.size(); ++row) {
    auto fields = records[row].fields;
    fields.resize(header.size());
    fields[column] = answers.at(static_cast<std::int64_t>(row));
    add_line(text, fields);
  }
  return text;
}

}  // namespace mdl::worker::generation

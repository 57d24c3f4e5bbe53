#include "worker/generation/answered_rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

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

/// Where the value of a key of an object in JSON stands in its text, [begin, end); nothing where there is no such key.
/// `object`: well-formed.
std::optional<std::pair<std::size_t, std::size_t>> value_place(const std::string& object, const std::string& key) {
  int depth = 0;
  std::size_t text_begin = 0, value_begin = 0;
  bool in_text = false, matches = false;
  for (std::size_t i = 0; i < object.size(); ++i) {
    const char c = object[i];
    if (in_text) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_text = false;
      }
      continue;
    }
    if (c == '"') {
      in_text = true;
      text_begin = i;
    } else if (c == ':' && depth == 1) {
      const std::size_t text_end = object.rfind('"', i) + 1;
      matches = nlohmann::json::parse(object.substr(text_begin, text_end - text_begin)) == key;
      value_begin = i + 1;
    } else if (matches && depth == 1 && (c == ',' || c == '}')) {
      return std::pair(value_begin, i);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::nullopt;
}

/// The object's text with another value of a key, or with the key behind the others. All else stays as it is written,
/// numbers of any length too.
std::string with_member(std::string object, const std::string& key, const std::string& value) {
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  if (const auto place = value_place(object, key)) {
    return object.replace(place->first, place->second - place->first, " " + quoted(value));
  }
  const std::size_t end = object.rfind('}');
  const bool is_empty = object.find_last_not_of(" \t", end - 1) == object.find('{');
  object.erase(end);
  while (object.back() == ' ' || object.back() == '\t') { object.pop_back(); }
  return object + (is_empty ? "" : ", ") + quoted(key) + ": " + quoted(value) + "}";
}

std::string answered_lines(const std::vector<std::string>& lines, const Answers& answers, const std::string& name) {
  std::string text;
  for (std::size_t row = 0; row < lines.size(); ++row) {
    text += with_member(lines[row], name, answers.at(static_cast<std::int64_t>(row) + 1)) + '\n';
  }
  return text;
}

}  // namespace

std::string answered_rows(const convert::RowFile& file, const Answers& answers, const std::string& name) {
  if (file.format == dataset::RowFormat::jsonl) { return answered_lines(file.lines, answers, name); }
  return answered_table(file.records, answers, name, file.format == dataset::RowFormat::tsv ? '\t' : ',');
}

}  // namespace mdl::worker::generation

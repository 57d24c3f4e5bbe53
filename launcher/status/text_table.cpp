#include "launcher/status/text_table.hpp"

#include <algorithm>
#include <utility>

#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::status {
namespace {

constexpr std::size_t kGap = 2;  // before each column
constexpr const char* kNoteIndent = "         ";

bool is_nothing(const std::string& cell) {
  return cell.empty() || cell == "-";
}

std::size_t width_of(const std::vector<std::size_t>& widths) {
  std::size_t width = 0;
  for (const std::size_t each : widths) { width += each > 0 ? each + kGap : 0; }
  return width;
}

}  // namespace

void TextTable::add(std::vector<std::string> cells, std::string note) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), std::move(note)});
}

std::vector<std::size_t> TextTable::widths_for(std::size_t width) const {
  std::vector<std::size_t> widths;
  std::vector<std::pair<int, std::size_t>> order;  // in which columns go
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(log::columns_of(columns_[i].title));
    bool nothing = true;
    for (const Row& row : rows_) {
      widths.back() = std::max(widths.back(), log::columns_of(row.cells[i]));
      nothing = nothing && is_nothing(row.cells[i]);
    }
    const int worth = columns_[i].worth;
    if (worth != kStays) { order.emplace_back(nothing ? -1 : worth, i); }
  }
  std::sort(order.begin(), order.end());
  for (const auto& [worth, i] : order) {
    const std::size_t whole = width_of(widths);
    if (whole <= width) { break; }
    const std::size_t least = worth < 0 ? 0 : std::min(columns_[i].least, widths[i]);
    widths[i] = least > 0 ? std::max(least, widths[i] - std::min(widths[i], whole - width)) : 0;
  }
  return widths;
}

std::string TextTable::line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] == 0) { continue; }
    const std::string cell(log::fitting(cells[i], widths[i]));
    const std::string space(widths[i] - std::min(widths[i], log::columns_of(cell)), ' ');
    text += std::string(kGap, ' ') + (columns_[i].right ? space + cell : cell + space);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string TextTable::text(std::size_t width) const {
  const std::vector<std::size_t> widths = widths_for(width);
  std::vector<std::string> titles;
  for (const Column& column : columns_) { titles.push_back(column.title); }
  std::string text = line(titles, widths) + "\n";
  for (const Row& row : rows_) {
    text += line(row.cells, widths);
    if (!row.note.empty()) {
      const std::size_t begin = text.rfind('\n') + 1;
      const bool has_room =
          log::columns_of(std::string_view(text).substr(begin)) + kGap + log::columns_of(row.note) <= width;
      text += str_cat(has_room ? std::string(kGap, ' ') : str_cat("\n", kNoteIndent), row.note);
    }
    text += "\n";
  }
  return text;
}

}  // namespace mdl::launcher::status

#include "common/paragraph.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "common/str_cat.hpp"

namespace mdl {
namespace {

constexpr std::size_t kPiped = 80;
constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 120;  // longer lines are hard to read
constexpr std::size_t kLastTextColumn = 30;
constexpr std::size_t kGap = 2;  // before a name, and between it and its text

/// Letters, not bytes: what UTF-8 continues does not count.
std::size_t letters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void append_wrapped(std::string& result, std::string_view line, std::size_t column, std::size_t width,
                    std::size_t indent) {
  bool first = true;
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    const std::size_t length = letters_in(word);
    if (!first && column + 1 + length > width) {
      result += '\n';
      result.append(indent, ' ');
      column = indent;
    } else if (!first) {
      result += ' ';
      ++column;
    }
    result += word;
    column += length;
    first = false;
    begin = end + 1;
  }
}

}  // namespace

std::size_t output_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) { return kPiped; }
  return std::clamp<std::size_t>(size.ws_col, kNarrowest, kWidest);
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    if (begin > 0) {
      result += '\n';
      if (!line.empty()) { result.append(indent, ' '); }
    }
    if (line.starts_with(' ')) {
      result += line;
    } else {
      append_wrapped(result, line, indent, width, indent);
    }
    begin = end + 1;
  }
  return result;
}

std::size_t text_column(std::span<const HelpRow> rows) {
  std::size_t column = 0;
  for (const HelpRow& row : rows) {
    const std::size_t behind = kGap + row.name.size() + kGap;
    if (behind <= kLastTextColumn) { column = std::max(column, behind); }
  }
  return column;
}

std::string help_rows(std::span<const HelpRow> rows, std::size_t column, std::size_t width) {
  std::string lines;
  for (const HelpRow& row : rows) {
    std::string name = std::string(kGap, ' ') + row.name;
    if (name.size() + kGap > column) {
      lines += name + "\n";
      name.clear();
    }
    name.resize(column, ' ');
    lines += str_cat(name, wrapped(row.text, width, column), "\n");
  }
  return lines;
}

}  // namespace mdl

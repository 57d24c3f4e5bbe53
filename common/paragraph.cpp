#include "common/paragraph.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace mdl {
namespace {

constexpr std::size_t kPiped = 80;
constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 120;  // longer lines are hard to read

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

}  // namespace mdl

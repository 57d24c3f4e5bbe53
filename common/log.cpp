#include "common/log.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace mdl::log {
namespace {

std::string& program() {
  static std::string name = "mdl";
  return name;
}

Level parse_threshold() {
  const char* text = std::getenv("LOGLEVEL");
  const std::string_view value = text ? text : "";
  if (value == "DEBUG" || value == "10") { return Level::debug; }
  if (value == "INFO" || value == "20") { return Level::info; }
  if (value == "WARNING" || value == "WARN" || value == "30") { return Level::warning; }
  if (value == "ERROR" || value == "CRITICAL" || value == "40" || value == "50") { return Level::error; }
  return Level::news;
}

char letter(Level level) {
  switch (level) {
    case Level::debug:
      return 'D';
    case Level::info:
    case Level::news:
      return 'I';
    case Level::warning:
      return 'W';
    case Level::error:
      return 'E';
  }
  return '?';
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), "%02d%02d %02d:%02d:%02d.%03d", local.tm_mon + 1,
                                   local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, static_cast<int>(millis));
  return {text.data(), static_cast<std::size_t>(length)};
}

/// False when nobody reads what is written there: a log must not keep a program from obeying a signal.
bool takes_more(int fd) {
  constexpr int kPatienceMs = 1000;
  static std::atomic<bool> stuck = false;
  pollfd writing{fd, POLLOUT, 0};
  const bool full = ::poll(&writing, 1, stuck ? 0 : kPatienceMs) == 0;
  stuck = full;
  return !full;
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    if (!takes_more(STDERR_FILENO)) { return; }
    const ssize_t n = ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (n <= 0) {
      return;  // nobody can read the log: there is no better place to say so
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// The status line that is on the terminal now.
std::string& shown_status() {
  static std::string text;
  return text;
}

/// Takes the status line away, and leaves the cursor at its beginning.
std::string erasing(const std::string& status) {
  return status.empty() ? std::string() : str_cat("\r", std::string(columns_of(status), ' '), "\r");
}

std::size_t letter_size(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) { ++end; }
  return end - begin;
}

/// From the first letters on that East Asia writes wide, three bytes or more each (U+1100, and emoji).
std::size_t letter_columns(std::string_view letter) {
  return letter.size() >= 3 && letter >= "\u1100" ? 2 : 1;
}

}  // namespace

std::string_view fitting(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t size = letter_size(text, end);
    const std::size_t width = letter_columns(text.substr(end, size));
    if (width > columns) { break; }
    columns -= width;
    end += size;
  }
  return text.substr(0, end);
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t size = letter_size(text, begin);
    columns += letter_columns(text.substr(begin, size));
    begin += size;
  }
  return columns;
}

std::size_t status_columns() {
  constexpr std::size_t kUnknownWidth = 80;  // of a serial line
  if (threshold() > Level::news || ::isatty(STDERR_FILENO) == 0) { return 0; }
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : kUnknownWidth) - 1;  // the cursor stands behind it
}

void show_status(std::string_view text) {
  std::string line = escaped(text);
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  line = fitting(line, status_columns());
  if (line == shown_status()) { return; }
  write_all(erasing(shown_status()) + line);
  shown_status() = line;
}

Level threshold() {
  static const Level level = parse_threshold();
  return level;
}

void set_program(std::string_view name) {
  program() = name;
}

bool steers_terminal(std::string_view letter) {
  const auto first = static_cast<unsigned char>(letter.front());
  if (letter.size() == 1) { return (first < ' ' && first != '\n' && first != '\t') || first == 127; }
  if (letter.size() == 2 && first == 0xC2) { return static_cast<unsigned char>(letter[1]) < 0xA0; }
  constexpr std::array<std::string_view, 12> kMarks = {"\u061C", "\u200E", "\u200F", "\u202A", "\u202B", "\u202C",
                                                       "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};
  return std::ranges::find(kMarks, letter) != kMarks.end();
}

std::string escaped(std::string_view text) {
  std::string shown;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string_view letter = text.substr(begin, letter_size(text, begin));
    begin += letter.size();
    if (!steers_terminal(letter)) {
      shown += letter;
      continue;
    }
    for (const char byte : letter) {
      std::array<char, 5> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned char>(byte));
      shown += hex.data();
    }
  }
  return shown;
}

void write(Level level, std::string_view message) {
  std::string line = str_cat(erasing(shown_status()), "[", program(), "] ", letter(level), timestamp(), " ");
  line += escaped(message);
  line += '\n';
  line += shown_status();
  write_all(line);
}

}  // namespace mdl::log

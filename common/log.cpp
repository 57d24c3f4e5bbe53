#include "common/log.hpp"

#include <limits.h>
#include <poll.h>
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

bool steers_terminal(std::string_view letter) {
  const auto first = static_cast<unsigned char>(letter.front());
  if (letter.size() == 1) { return (first < ' ' && first != '\n' && first != '\t') || first == 127; }
  if (letter.size() == 2 && first == 0xC2) { return static_cast<unsigned char>(letter[1]) < 0xA0; }
  constexpr std::array<std::string_view, 12> kMarks = {"\u061C", "\u200E", "\u200F", "\u202A", "\u202B", "\u202C",
                                                       "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};
  return std::ranges::find(kMarks, letter) != kMarks.end();
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

}  // namespace

Level threshold() {
  static const Level level = parse_threshold();
  return level;
}

void set_program(std::string_view name) {
  program() = name;
}

std::string escaped(std::string_view text) {
  std::string shown;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) { ++end; }
    const std::string_view letter = text.substr(begin, end - begin);
    begin = end;
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
  std::string line = str_cat("[", program(), "] ", letter(level), timestamp(), " ");
  line += escaped(message);
  line += '\n';
  for (std::size_t done = 0; done < line.size();) {
    if (!takes_more(STDERR_FILENO)) { return; }
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, std::min<std::size_t>(line.size() - done, PIPE_BUF));
    if (n <= 0) {
      return;  // nobody can read the log: there is no better place to say so
    }
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace mdl::log

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/str_cat.hpp"

namespace mdl::log {

/// Severity, as the environment variable LOGLEVEL names it for torchrun: DEBUG, INFO, WARNING, ERROR (or 10, 20, 30,
/// 40). Lines say it by a letter: D, I, W, E.
enum class Level {
  debug = 10,
  info = 20,     ///< how things go inside; not shown without LOGLEVEL
  news = 25,     ///< what is to be told of an ordinary run; level I as well, but shown without LOGLEVEL
  warning = 30,  ///< what the user should do something about, or look at
  error = 40
};

/// The level below which lines are dropped: LOGLEVEL when set and known, else news. Read once.
Level threshold();

/// Names the program at the start of each line, for example "mdl-launch". Call once, at the start of main().
void set_program(std::string_view name);

/// Whether a letter (the bytes of one, in UTF-8) would steer a terminal: control characters other than line ends and
/// tabs, U+0080 to U+009F, and the marks that turn the direction of writing.
bool steers_terminal(std::string_view letter);

/// `text` with \xHH for what steers_terminal(). What is told may quote bytes from the network.
std::string escaped(std::string_view text);

/// Writes one line to stderr with a single write(2), so that lines of several processes do not mix:
/// `[mdl-launch] W1124 08:15:02.123 message`, the message escaped().
void write(Level level, std::string_view message);

/// The columns of a status line: 0 where stderr is no terminal, or news are not shown.
std::size_t status_columns();

/// Shows `text`, escaped() and cut at status_columns(), as the last line of the terminal, in place of the one that is
/// shown; what is told meanwhile goes above it. An empty text takes it away. No escape codes: a carriage return and
/// blanks. Nothing where there are no columns. For programs that write their log from one thread.
void show_status(std::string_view text);

/// How many columns of a terminal `text` takes: two for the wide letters of East Asia.
std::size_t columns_of(std::string_view text);

/// As much of `text` from its begin as takes at most so many columns.
std::string_view fitting(std::string_view text, std::size_t columns);

template <typename... Values>
void emit(Level level, const Values&... values) {
  if (level >= threshold()) { write(level, str_cat(values...)); }
}
template <typename... Values>
void debug(const Values&... values) {
  emit(Level::debug, values...);
}
template <typename... Values>
void info(const Values&... values) {
  emit(Level::info, values...);
}
template <typename... Values>
void news(const Values&... values) {
  emit(Level::news, values...);
}
template <typename... Values>
void warning(const Values&... values) {
  emit(Level::warning, values...);
}
template <typename... Values>
void error(const Values&... values) {
  emit(Level::error, values...);
}

}  // namespace mdl::log

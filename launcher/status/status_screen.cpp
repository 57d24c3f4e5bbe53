#include "launcher/status/status_screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::status {
namespace {

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

ScreenSize screen_size() {
  winsize size{};
  ScreenSize screen;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) { return screen; }
  if (size.ws_row > 0) { screen.rows = size.ws_row; }
  if (size.ws_col > 0) { screen.columns = size.ws_col; }
  return screen;
}

bool put(const std::string& text) {
  return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
}

}  // namespace

std::string fit_screen(std::string_view text, std::size_t rows, std::size_t columns) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const bool fits = lines.size() <= rows;
  const std::size_t shown = fits ? lines.size() : std::max<std::size_t>(rows, 1) - 1;
  std::string result;
  for (std::size_t i = 0; i < shown; ++i) { result.append(log::fitting(lines[i], columns)).append("\n"); }
  if (!fits) {
    result.append(log::fitting(str_cat("(", counted(lines.size() - shown, "more line"), ")"), columns)).append("\n");
  }
  return result;
}

StatusScreen::StatusScreen(bool for_programs) : in_place_(!for_programs && ::isatty(STDOUT_FILENO) != 0) {}

std::size_t StatusScreen::columns() const {
  // A column less, for a full row would take two.
  return in_place_ ? std::max<std::size_t>(screen_size().columns, 2) - 1 : std::string::npos;
}

bool StatusScreen::draw(const std::string& text) {
  if (!in_place_) { return put(text); }
  const ScreenSize screen = screen_size();
  // A row less, for the cursor stands below the text.
  const std::string fitted = fit_screen(text, std::max<std::size_t>(screen.rows, 2) - 1, columns());
  std::string whole;
  // After the terminal has become smaller, only what is on it can be reached.
  const std::size_t up = std::min(lines_drawn_, screen.rows - 1);
  if (up > 0) { whole = str_cat("\x1b[", up, "A"); }
  lines_drawn_ = static_cast<std::size_t>(std::count(fitted.begin(), fitted.end(), '\n'));
  return put(str_cat(whole, "\r\x1b[J", fitted));
}

bool StatusScreen::add(const std::string& text) {
  lines_drawn_ = 0;
  return put(text);
}

}  // namespace mdl::launcher::status

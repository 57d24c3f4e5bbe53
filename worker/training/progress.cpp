#include "worker/training/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "common/str_cat.hpp"

namespace mdl {
namespace {

std::string four_digits(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(seconds);
  std::array<char, 32> text{};
  if (whole >= 3600) {
    std::snprintf(text.data(), text.size(), "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%02ld:%02ld", whole / 60, whole % 60);
  }
  return text.data();
}

int terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::string format_metrics(const Metrics& metrics) {
  std::string text = "{";
  for (const auto& [name, value] : metrics) {
    text += str_cat(text.size() > 1 ? ", " : "", "'", name, "': '", four_digits(value), "'");
  }
  return text + "}";
}

Progress::Progress(bool enabled, int64_t total_steps)
    : enabled_(enabled), terminal_(::isatty(STDOUT_FILENO) == 1), total_steps_(total_steps) {}

Progress::~Progress() {
  if (bar_shown_) print("\n");
}

void Progress::step(int64_t step, int64_t samples, const Metrics& metrics) {
  if (!enabled_) return;
  if (!terminal_) return line(metrics);

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double left = seconds / static_cast<double>(step) * static_cast<double>(total_steps_ - step);
  constexpr int64_t kBarCells = 20;
  const auto filled = static_cast<size_t>(kBarCells * step / std::max<int64_t>(total_steps_, 1));
  std::string text = str_cat(step, "/", total_steps_, " [", std::string(filled, '#'),
                             std::string(static_cast<size_t>(kBarCells) - filled, '.'), "] ", clock_text(seconds), "<",
                             clock_text(left), " ", four_digits(static_cast<double>(samples) / seconds), " samples/s");
  for (const auto& [name, value] : metrics) text += str_cat(" ", name, " ", four_digits(value));
  text.resize(std::min(text.size(), static_cast<size_t>(terminal_width() - 1)));
  print("\r\x1b[K" + text);
  bar_shown_ = true;
}

void Progress::line(const Metrics& metrics) {
  if (!enabled_) return;
  clear_bar();
  print(format_metrics(metrics) + "\n");
}

void Progress::clear_bar() {
  if (bar_shown_) print("\n");
  bar_shown_ = false;
}

}  // namespace mdl

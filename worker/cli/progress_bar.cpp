#include "worker/cli/progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/str_cat.hpp"

namespace mdl::worker::cli {
namespace {

constexpr std::int64_t kBarCells = 20;

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

std::string one_decimal(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

/// Bytes are shown in a unit in which the total is a handy number.
struct ShownUnit {
  std::string name;
  double size;
};

ShownUnit shown_unit(const BarScale& scale) {
  if (scale.unit != "bytes") { return {scale.unit, 1}; }
  if (scale.total >= 1'000'000'000) { return {"GB", 1e9}; }
  return scale.total >= 1'000'000 ? ShownUnit{"MB", 1e6} : ShownUnit{"kB", 1e3};
}

int terminal_width(std::FILE* file) {
  winsize size{};
  return ::ioctl(::fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string describe_progress(const BarScale& scale, std::int64_t done, std::chrono::duration<double> passed) {
  const ShownUnit unit = shown_unit(scale);
  const auto amount = [&](std::int64_t value) {
    return unit.size == 1 ? str_cat(value) : one_decimal(static_cast<double>(value) / unit.size);
  };
  const std::int64_t total = std::max(scale.total, done);
  const auto here = static_cast<double>(done - scale.found);  // by this process, in `passed`
  const double rate = passed.count() > 0 ? here / passed.count() : 0;
  const auto filled = static_cast<std::size_t>(total > 0 ? kBarCells * done / total : kBarCells);
  return str_cat(scale.what, " ", amount(done), "/", amount(total), " ", unit.name, " [", std::string(filled, '#'),
                 std::string(kBarCells - filled, '.'), "] ", clock_text(passed.count()), "<",
                 done == total ? clock_text(0)
                 : rate > 0    ? clock_text(static_cast<double>(total - done) / rate)
                               : "?",
                 " ", one_decimal(rate / unit.size), " ", unit.name, "/s");
}

ProgressBar::ProgressBar(BarScale scale, std::FILE* file)
    : scale_(std::move(scale)),
      file_(file),
      terminal_(::isatty(::fileno(file)) == 1),
      done_(scale_.found),
      begin_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  end_line();
}

void ProgressBar::add(std::int64_t count, const std::string& details) {
  done_ += count;
  details_ = details;
  up_to_date_ = false;
  if (!line_open_ || std::chrono::steady_clock::now() - drawn_ >= std::chrono::milliseconds(100)) { draw(); }
}

void ProgressBar::end_line() {
  if (!up_to_date_) { draw(); }
  if (line_open_) { std::fputc('\n', file_); }
  std::fflush(file_);
  line_open_ = false;
}

void ProgressBar::draw() {
  if (!terminal_) { return; }
  drawn_ = std::chrono::steady_clock::now();
  std::string text = describe_progress(scale_, done_, drawn_ - begin_);
  if (!details_.empty()) { text += " " + details_; }
  text.resize(std::min(text.size(), static_cast<std::size_t>(terminal_width(file_) - 1)));
  std::fprintf(file_, "\r\x1b[K%s", text.c_str());
  std::fflush(file_);
  line_open_ = up_to_date_ = true;
}

}  // namespace mdl::worker::cli

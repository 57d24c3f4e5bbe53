#include "worker/convert/progress_bar.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

namespace mdl {

std::string describe_progress(std::int64_t done, std::int64_t total, std::chrono::duration<double> passed) {
  const double rate = passed.count() > 0 ? static_cast<double>(done) / passed.count() : 0;
  const auto left = static_cast<long long>(rate > 0 ? static_cast<double>(total - done) / rate : 0);
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), "%3d%% %lld/%lld rows, %.1f rows/s, %lld:%02lld left",
                static_cast<int>(total > 0 ? done * 100 / total : 100), static_cast<long long>(done),
                static_cast<long long>(total), rate, left / 60, left % 60);
  return text.data();
}

ProgressBar::ProgressBar(std::string what, std::int64_t total)
    : what_(std::move(what)),
      total_(total),
      shown_(::isatty(STDERR_FILENO) == 1),
      begin_(std::chrono::steady_clock::now()),
      drawn_(begin_) {}

ProgressBar::~ProgressBar() {
  if (!shown_) return;
  draw();
  std::fputc('\n', stderr);
}

void ProgressBar::add(std::int64_t count) {
  done_ += count;
  if (!shown_ || std::chrono::steady_clock::now() - drawn_ < std::chrono::milliseconds(100)) return;
  draw();
}

void ProgressBar::draw() {
  drawn_ = std::chrono::steady_clock::now();
  std::fprintf(stderr, "\r\x1b[K%s: %s", what_.c_str(), describe_progress(done_, total_, drawn_ - begin_).c_str());
  std::fflush(stderr);
}

}  // namespace mdl

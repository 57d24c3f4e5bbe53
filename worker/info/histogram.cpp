#include "worker/info/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <sstream>

#include "common/str_cat.hpp"

namespace mdl::worker::info {
namespace {

constexpr int kMostRanges = 12;
constexpr double kBarWidth = 40;

/// The smallest round number from `least` on.
double round_up(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (times * power >= least * (1 - 1e-9)) { return times * power; }
  }
  return 10 * power;
}

std::string number_text(double value) {
  std::ostringstream text;
  text << std::setprecision(10) << value;
  return text.str();
}

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

/// Eighths of a block at the end, so that small counts differ.
std::string bar(double share, bool blocks) {
  const auto eighths = static_cast<int>(std::ceil(share * kBarWidth * 8));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) { text += blocks ? "█" : "#"; }
  static constexpr const char* kPart[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (eighths % 8) { text += blocks ? kPart[eighths % 8] : "#"; }
  return text;
}

}  // namespace

std::string draw_histogram(const std::vector<double>& values, bool blocks, double least_width) {
  if (values.empty()) { return {}; }
  const auto [least, most] = std::ranges::minmax(values);
  const double round = most > least ? round_up((most - least) / (kMostRanges - 1)) : std::max(1.0, round_up(most / 10));
  const double width = std::max(round, least_width);
  const double begin = std::floor(least / width) * width;
  std::vector<std::int64_t> counts;
  for (const double value : values) {
    const auto range = static_cast<std::size_t>(std::max(0.0, std::floor((value - begin) / width + 1e-9)));
    if (counts.size() <= range) { counts.resize(range + 1); }
    ++counts[range];
  }
  const auto largest = static_cast<double>(*std::ranges::max_element(counts));
  const auto edge = [&](std::size_t i) { return number_text(begin + width * static_cast<double>(i)); };
  std::size_t digits = 0;
  for (std::size_t i = 0; i <= counts.size(); ++i) { digits = std::max(digits, edge(i).size()); }
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string drawn = bar(static_cast<double>(counts[i]) / largest, blocks);
    text += str_cat("    ", padded(edge(i), digits), " to ", padded(edge(i + 1), digits), "  ", drawn,
                    drawn.empty() ? "" : " ", counts[i], "\n");
  }
  return text;
}

}  // namespace mdl::worker::info

#include "worker/reports/page/block_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "worker/reports/page/number_text.hpp"

namespace mdl::worker::reports::page {
namespace {

constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::size_t kMostNumbers = 10;

}  // namespace

std::string block_curve(const Points& points, std::size_t width, bool blocks) {
  std::vector<double> values;
  for (const Point& point : points) {
    if (std::isfinite(point.value)) { values.push_back(point.value); }
  }
  const std::size_t parts = std::min({values.size(), width, blocks ? width : kMostNumbers});
  std::vector<double> means;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t begin = part * values.size() / parts, end = (part + 1) * values.size() / parts;
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) { sum += values[i] / static_cast<double>(end - begin); }
    means.push_back(sum);
  }
  if (means.empty()) { return {}; }
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  std::string text;
  for (const double mean : means) {
    if (!blocks) {
      text += (text.empty() ? "" : " ") + short_number(mean);
      continue;
    }
    const double place = *high > *low ? (mean - *low) / (*high - *low) : 0.5;
    text += kBlocks.at(static_cast<std::size_t>(std::lround(place * (kBlocks.size() - 1))));
  }
  return text;
}

}  // namespace mdl::worker::reports::page

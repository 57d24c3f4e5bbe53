#pragma once

#include <cstddef>
#include <string>

#include "worker/reports/page/series.hpp"

namespace mdl::worker::reports::page {

/// A line of at most `width` characters that shows how `points` go: each of ▁▂▃▄▅▆▇█ is the mean of an equal part of
/// them. With `blocks` false, for terminals without Unicode, the means as numbers, at most 10: "7.7 7.1 6.4". Empty
/// where there is no finite number.
std::string block_curve(const Points& points, std::size_t width, bool blocks);

}  // namespace mdl::worker::reports::page

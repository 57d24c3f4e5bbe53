#pragma once

#include <cstddef>

#include "worker/reports/page/series.hpp"

namespace mdl::worker::reports::page {

/// How many points a smoothed line of `count` points looks back, roughly: a twentieth of them, 5 to 100.
std::size_t smoothing_span(std::size_t count);

/// The exponentially weighted mean of each point and all before it, each with 1 - 2 / (span + 1) of the weight of the
/// one after it, divided by the sum of the weights: pandas' ewm(span=span, adjust=True, ignore_na=True).mean(), and
/// with that weight TensorBoard's smoothing. Points that are no finite number are left out.
Points smoothed(const Points& points, std::size_t span);

}  // namespace mdl::worker::reports::page

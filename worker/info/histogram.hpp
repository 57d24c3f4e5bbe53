#pragma once

#include <string>
#include <vector>

namespace mdl::worker::info {

/// How often values lie where, a line for each of at most twelve ranges of the same round width (1, 2 or 5 times a
/// power of ten), with a bar and the count. "   2 to  4  ████████  12\n". Empty for no values. `blocks`: bars of block
/// characters, else of #. `least_width`: of a range, 1 for whole numbers.
std::string draw_histogram(const std::vector<double>& values, bool blocks, double least_width = 0);

}  // namespace mdl::worker::info

#pragma once

#include <cstddef>
#include <cstdint>

#include "worker/reports/page/series.hpp"

namespace mdl::worker::reports::page {

/// The points that a picture of `columns` columns between the steps `first` and `last` needs: of each column the first,
/// the last, the lowest and the highest, and one that is no finite number if there is one, so that spikes and gaps stay
/// to be seen. At most 5 times `columns`; a line with no more points than that stays whole.
Points thinned(const Points& points, std::int64_t first, std::int64_t last, std::size_t columns);

}  // namespace mdl::worker::reports::page

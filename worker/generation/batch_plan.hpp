#pragma once

#include <cstdint>
#include <vector>

namespace mdl::worker::generation {

/// Which rows are answered together: batches of at most `batch_size`, of rows of similar length, the longest first, so
/// that memory runs out early if it does and no rank begins with a long one at the end. `lengths`: tokens of each row;
/// `rows`: those still to be answered, as indices into it.
std::vector<std::vector<std::size_t>> plan_batches(const std::vector<std::int64_t>& lengths,
                                                   const std::vector<std::size_t>& rows, std::size_t batch_size);

}  // namespace mdl::worker::generation

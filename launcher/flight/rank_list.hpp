#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdl::launcher::flight {

/// Sorted numbers of ranks in words: "rank 3", "ranks 0 to 2, 5", "ranks 0, 1"; with many gaps cut: "ranks 0, 2, 4, 6,
/// 8, 10, 12, 14 and 1,016 more".
std::string ranks_in_words(const std::vector<std::int64_t>& ranks);

/// With a comma before each three digits: "1,204".
std::string grouped_digits(std::int64_t number);

}  // namespace mdl::launcher::flight

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::flight {

/// Sorted numbers of ranks in words: "rank 3", "ranks 0 to 2, 5", "ranks 0, 1"; with many gaps cut: "ranks 0, 2, 4, 6,
/// 8, 10, 12, 14 and 56 more".
std::string ranks_in_words(const std::vector<std::int64_t>& ranks);

/// The same for a program, short where they follow each other in equal steps: "0-7,16-1016/8".
std::string ranks_to_text(const std::vector<std::int64_t>& ranks);
/// Sorted, each once; none where the text is something else, or has more than `most` ranks.
std::vector<std::int64_t> ranks_from_text(std::string_view text, std::size_t most);

/// With a comma before each three digits: "1,204".
std::string grouped_digits(std::int64_t number);

}  // namespace mdl::launcher::flight

#pragma once

#include <cstdint>

namespace mdl::worker::dataset {

/// The label of a token that takes no loss: padding, and all that the model is not to answer.
inline constexpr std::int64_t kIgnoredLabel = -100;

}  // namespace mdl::worker::dataset

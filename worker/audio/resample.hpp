#pragma once

#include <span>
#include <vector>

namespace mdl {

/// `samples` at another rate: soxr's quality HQ, as librosa's default "soxr_hq". The result has
/// ceil(samples.size() * to / from) samples. Rates are per second, above 0. Throws Error when soxr refuses.
std::vector<float> resample(std::span<const float> samples, int from, int to);

}  // namespace mdl

#include "worker/audio/resample.hpp"

#include <soxr.h>

#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::audio {
namespace {

/// What soxr gives at once. It takes no more for it than becomes so much, and its own buffers grow with that.
constexpr std::size_t kPiece = 1 << 16;

}  // namespace

Resampler::Resampler(int from, int to) : from_(from), to_(to), soxr_(nullptr, &soxr_delete), given_(kPiece) {
  const auto io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const auto quality = soxr_quality_spec(SOXR_HQ, 0);
  soxr_error_t error = nullptr;
  soxr_.reset(soxr_create(from, to, 1, &error, &io, &quality, nullptr));
  check(error);
}

void Resampler::check(const char* error) const {
  if (error) {
    throw Error(str_cat("cannot resample a sound from ", from_, " to ", to_, " samples a second: ", error));
  }
}

void Resampler::process(std::span<const float> samples, bool ending) {
  for (std::size_t given = given_.size(); !samples.empty() || given == given_.size();) {
    std::size_t taken = 0;
    check(soxr_process(soxr_.get(), ending ? nullptr : samples.data(), samples.size(), &taken, given_.data(),
                       given_.size(), &given));
    out_.insert(out_.end(), given_.begin(), given_.begin() + static_cast<std::ptrdiff_t>(given));
    samples = samples.subspan(taken);
  }
}

void Resampler::add(std::span<const float> samples) {
  taken_ += samples.size();
  if (!samples.empty()) {
    process(samples, false);  // to soxr no samples are the end
  }
}

std::vector<float> Resampler::finish() {
  process({}, true);
  // Where soxr gives less, the rest is silence.
  out_.resize(static_cast<std::size_t>(std::ceil(static_cast<double>(taken_) * to_ / from_)), 0.0F);
  return std::move(out_);
}

}  // namespace mdl::worker::audio

#include "worker/audio/resample.hpp"

#include <soxr.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {

std::vector<float> resample(std::span<const float> samples, int from, int to) {
  const auto check = [&](soxr_error_t error) {
    if (error) throw Error(str_cat("cannot resample a sound from ", from, " to ", to, " samples a second: ", error));
  };
  const auto length = static_cast<std::size_t>(std::ceil(static_cast<double>(samples.size()) * to / from));
  // Where soxr gives less, the rest is silence. One sample more than are wanted: soxr 0.1.3 reads 8 bytes of what it is
  // to write to, whatever it is.
  std::vector<float> out(length + 1, 0.0F);

  const auto io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const auto quality = soxr_quality_spec(SOXR_HQ, 0);
  soxr_error_t error = nullptr;
  const std::unique_ptr<soxr, decltype(&soxr_delete)> resampler(
      soxr_create(from, to, 1, &error, &io, &quality, nullptr), &soxr_delete);
  check(error);
  // In pieces: soxr's own buffers grow with what it is given at once.
  constexpr std::size_t kPiece = 1 << 16;
  std::size_t done = 0, written = 0;
  for (bool ending = false; written < length;) {
    ending = ending || done == samples.size();
    std::size_t taken = 0, given = 0;
    check(soxr_process(resampler.get(), ending ? nullptr : samples.data() + done,
                       ending ? 0 : std::min(kPiece, samples.size() - done), &taken, out.data() + written,
                       length - written, &given));
    done += taken;
    written += given;
    if (ending && given == 0) break;
  }
  out.resize(length);
  return out;
}

}  // namespace mdl

#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace mdl::worker::training::checkpoint {

/// Where the random numbers of a rank stand: what dropout draws from.
struct RngState {
  at::Tensor cpu;                ///< of torch's default generator, [5056] uint8
  std::vector<at::Tensor> cuda;  ///< of each visible GPU's, [16] uint8; empty without GPUs
};

RngState current_rng_state(at::Device device);

/// Takes a state over. A part that is missing, or of a GPU that is not `device`, is left as it is.
void set_rng_state(const RngState& state, at::Device device);

/// The state as a text, to be sent to another rank, and back.
std::string to_text(const RngState& state);
RngState rng_state_from(const std::string& text);

/// The name that the Trainer gives the file of a rank: rng_state.pth alone, else rng_state_RANK.pth.
std::string rng_file_name(int64_t rank, int64_t world_size);

/// Writes the file as the Trainer does: {"python", "numpy", "cpu"} and with GPUs "cuda". This program uses neither
/// Python's nor NumPy's generator; theirs are written as seeded with `seed`, which is where they stand in the Python
/// tool, whose training does not draw from them either.
void save_rng_state(const std::filesystem::path& file, const RngState& state, uint64_t seed, int64_t world_size);

/// Reads what torch draws from; the rest is passed over. Throws Error naming the file when it is not one of these.
RngState load_rng_state(const std::filesystem::path& file);

/// The state of Mersenne Twister MT19937 seeded with one number, as NumPy does (init_genrand) …
std::array<uint32_t, 624> numpy_seeded(uint32_t seed);
/// … and as Python's random does (init_by_array with the number's 32-bit digits).
std::array<uint32_t, 624> python_seeded(uint64_t seed);

}  // namespace mdl::worker::training::checkpoint

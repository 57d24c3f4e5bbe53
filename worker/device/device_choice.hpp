#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/nvidia/driver.hpp"

namespace mdl::worker::device {

enum class Kind { cpu, cuda };

/// The value of an environment variable, which may be empty; nullopt where it is not set.
using Variable = std::function<std::optional<std::string>(const char* name)>;

std::optional<std::string> environment_variable(const char* name);

/// What the user wants to compute on, and where he says so.
struct Wish {
  enum class What { automatic, cuda, cpu };
  What what = What::automatic;
  std::string said_by;  ///< "--device cpu"; empty for automatic
};

/// `option`: the value of --device ("auto", "cuda" or "cpu"). What it leaves open (auto) say ACCELERATE_USE_CPU=true,
/// as accelerate reads it, and a CUDA_VISIBLE_DEVICES that names no GPU: it is empty, -1 or NoDevFiles (Slurm's).
/// Throws UsageError for --device cuda with such a CUDA_VISIBLE_DEVICES.
Wish read_wish(const std::string& option, const Variable& variable = environment_variable);

/// What CUDA shows this process.
struct CudaView {
  bool built_in = true;   ///< whether this program can use CUDA
  int gpus = 0;           ///< that it opens
  std::string error;      ///< CUDA's own text, where it opens none
  std::string built_for;  ///< "LibTorch 2.15.0+cu132"
  int runtime = 0;        ///< the version of CUDA that LibTorch brings: 13020 is 13.2; 0 where it has none
};

/// Where this process computes. With a problem it cannot, and nothing may be computed anywhere else in its place.
struct Choice {
  Kind kind = Kind::cpu;
  std::string because;  ///< of the CPU: who wanted it; empty where there is no GPU
  std::string problem;  ///< empty: all is well
  std::string advice;
  std::string gpu{};  ///< "GPU-1f2e3d4c-…", its UUID; empty: not known, or nobody minds that it is shared
};

/// The GPU where CUDA opens one, unless the CPU is wanted. Where it opens none although the machine has GPUs, that is a
/// problem: training would go on, a hundred times slower, and nobody would know. `find_driver` is asked only then
/// (pure but for it).
Choice choose(const Wish& wish, const CudaView& cuda, const std::function<nvidia::Driver()>& find_driver);

}  // namespace mdl::worker::device

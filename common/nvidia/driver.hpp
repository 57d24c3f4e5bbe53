#pragma once

#include <filesystem>
#include <string>

namespace mdl::nvidia {

/// What a machine says of its NVIDIA GPUs without CUDA.
struct Driver {
  int gpus = 0;          ///< by NVML, else by the device files (/dev/nvidia0 …), which also a broken driver has
  std::string counted;   ///< by what: "NVML", "/dev/nvidia0"; empty where there is none
  std::string version;   ///< "580.65.06"; empty where it is not known
  int cuda_version = 0;  ///< see Nvml::cuda_version(); 0 where it is not known
};

/// Asks NVML, and looks at the device files in `devices` and at the kernel's `proc` (/proc/driver/nvidia). It may take
/// a second where the driver is not loaded yet.
Driver find_driver(const std::filesystem::path& devices = "/dev",
                   const std::filesystem::path& proc = "/proc/driver/nvidia");

/// The driver's version in /proc/driver/nvidia/version; empty where there is none.
std::string version_of_kernel(const std::filesystem::path& proc = "/proc/driver/nvidia");

/// "13.2" of CUDA's 13020.
std::string cuda_version_text(int version);

/// "2 NVIDIA GPUs (NVML; driver 570.86.15, for CUDA 12.8)", as far as it is known.
std::string describe(const Driver& driver);

}  // namespace mdl::nvidia

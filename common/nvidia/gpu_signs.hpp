#pragma once

#include <filesystem>

namespace mdl::nvidia {

/// Where Linux shows devices. Tests have folders of their own.
struct DevicePlaces {
  std::filesystem::path devices = "/dev";
  std::filesystem::path driver = "/proc/driver/nvidia";
  std::filesystem::path pci = "/sys/bus/pci/devices";
};

/// Whether CUDA might open a GPU here: false only where there is nothing of NVIDIA's to open, neither a device file,
/// nor its driver (which makes those files when it is first asked), nor a card on the PCI bus, nor Windows' device for
/// Linux. Nothing is loaded or started for it, so it takes less than a millisecond.
bool may_have_gpu(const DevicePlaces& places = {});

}  // namespace mdl::nvidia

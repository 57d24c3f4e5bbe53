#include "common/nvidia/gpu_signs.hpp"

#include <fstream>
#include <string>

namespace mdl::nvidia {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVendor = "0x10de";
constexpr const char* kDisplayClass = "0x03";  ///< of 0x030000 (a display) and 0x030200 (a card without one)

std::string first_word(const fs::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

bool has_card(const fs::path& pci) {
  std::error_code failure;
  fs::directory_iterator entry(pci, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const fs::path& device = entry->path();
    if (first_word(device / "vendor") == kVendor && first_word(device / "class").starts_with(kDisplayClass)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool may_have_gpu(const DevicePlaces& places) {
  std::error_code ignored;
  return fs::exists(places.devices / "nvidiactl", ignored) || fs::exists(places.devices / "dxg", ignored) ||
         fs::exists(places.driver, ignored) || has_card(places.pci);
}

}  // namespace mdl::nvidia

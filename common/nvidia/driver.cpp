#include "common/nvidia/driver.hpp"

#include <algorithm>
#include <fstream>
#include <regex>

#include "common/nvidia/nvml.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::nvidia {
namespace {

namespace fs = std::filesystem;

void count_device_files(const fs::path& devices, Driver& driver) {
  const std::string begin = "nvidia";
  std::error_code failure;
  fs::directory_iterator entry(devices, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(begin) && parse_digits<int>(std::string_view(name).substr(begin.size()))) {
      driver.counted = driver.gpus == 0 ? entry->path().string() : std::min(driver.counted, entry->path().string());
      ++driver.gpus;
    }
  }
}

}  // namespace

std::string version_of_kernel(const fs::path& proc) {
  std::ifstream file(proc / "version");
  std::string line;
  std::getline(file, line);
  std::smatch match;
  return std::regex_search(line, match, std::regex("[0-9]+\\.[0-9]+(\\.[0-9]+)?")) ? match.str() : "";
}

std::string cuda_version_text(int version) {
  return str_cat(version / 1000, '.', version % 1000 / 10);
}

Driver find_driver(const fs::path& devices, const fs::path& proc) {
  Driver driver;
  const Nvml nvml;
  driver.version = nvml.driver_version().value_or(version_of_kernel(proc));
  driver.cuda_version = nvml.cuda_version().value_or(0);
  driver.gpus = static_cast<int>(nvml.gpu_count().value_or(0));
  if (driver.gpus > 0) {
    driver.counted = "NVML";
  } else {
    count_device_files(devices, driver);
  }
  return driver;
}

std::string describe(const Driver& driver) {
  const std::string gpus = str_cat(driver.gpus, " NVIDIA GPU", driver.gpus == 1 ? "" : "s");
  if (driver.version.empty()) { return str_cat(gpus, " (", driver.counted, "; no driver answers)"); }
  return str_cat(gpus, " (", driver.counted, "; driver ", driver.version,
                 driver.cuda_version > 0 ? str_cat(", for CUDA ", cuda_version_text(driver.cuda_version)) : "", ")");
}

}  // namespace mdl::nvidia

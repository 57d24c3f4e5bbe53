#include "common/nvidia/gpu_signs.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "tests/temp_dir.hpp"

using mdl::nvidia::DevicePlaces;
using mdl::nvidia::may_have_gpu;

namespace fs = std::filesystem;

namespace {

void add_pci_device(const fs::path& pci, const std::string& address, const std::string& vendor,
                    const std::string& kind) {
  fs::create_directories(pci / address);
  std::ofstream(pci / address / "vendor") << vendor << '\n';
  std::ofstream(pci / address / "class") << kind << '\n';
}

}  // namespace

TEST_CASE("a machine has no GPU only where nothing of NVIDIA's is seen") {
  const mdl::test::TempDir folder;
  const DevicePlaces places{folder.path() / "dev", folder.path() / "proc", folder.path() / "pci"};
  CHECK_FALSE(may_have_gpu(places));  // as in a container without /sys
  fs::create_directories(places.devices);
  add_pci_device(places.pci, "0000:00:01.0", "0x1af4", "0x030000");  // another maker's display
  add_pci_device(places.pci, "0000:00:02.0", "0x10de", "0x0c0330");  // a USB port of NVIDIA's
  CHECK_FALSE(may_have_gpu(places));

  SECTION("a device file") {
    std::ofstream(places.devices / "nvidiactl").put('x');
    CHECK(may_have_gpu(places));
  }
  SECTION("Windows' device for Linux") {
    std::ofstream(places.devices / "dxg").put('x');
    CHECK(may_have_gpu(places));
  }
  SECTION("the driver, whose device files are made when it is first asked") {
    fs::create_directories(places.driver);
    CHECK(may_have_gpu(places));
  }
  SECTION("a card, whose driver is loaded when it is first asked") {
    add_pci_device(places.pci, "0000:dc:00.0", "0x10de", "0x030200");
    CHECK(may_have_gpu(places));
  }
}

#include "worker/health/host_memory.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl::worker::health;

TEST_CASE("the memory of a machine is what the kernel says is available") {
  const auto memory = parse_meminfo("MemTotal:       24684100 kB\nMemFree:  100 kB\nMemAvailable:   23000000 kB\n");
  REQUIRE(memory);
  CHECK(memory->total == 24684100LL * 1024);
  CHECK(memory->free == 23000000LL * 1024);
  for (const char* text :
       {"", "MemTotal: 1 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB\n", "MemAvailable\nMemTotal",
        "MemTotal: 1 kB\nMemAvailable: -1 kB\n", "MemTotal: 99999999999999999 kB\nMemAvailable: 1 kB\n"}) {
    CHECK_FALSE(parse_meminfo(text));
  }
}

TEST_CASE("a container has what its limit leaves") {
  const HostMemory host{.free = 900, .total = 1000};
  CHECK(within_limit(host, "500\n", "100\n").free == 400);
  CHECK(within_limit(host, "500\n", "100\n").total == 500);
  CHECK(within_limit(host, "500\n", "600\n").free == 0);
  CHECK(within_limit({.free = 50, .total = 1000}, "500\n", "100\n").free == 50);
  for (const char* limit : {"max\n", "", "2000\n", "odd"}) {
    CHECK(within_limit(host, limit, "100\n").free == 900);
    CHECK(within_limit(host, limit, "100\n").total == 1000);
  }
}

TEST_CASE("this machine's memory and CPU are read, and where they are not told that is an error") {
  const auto numbers = measure_host_memory();
  CHECK(HealthPart{"", numbers, ""}.number("free_bytes") > 0);
  const mdl::test::TempDir dir;
  CHECK_THROWS_AS(measure_host_memory(dir.path()), mdl::Error);
  std::ofstream(dir.path() / "meminfo") << "MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n";
  CHECK(measure_host_memory(dir.path(), dir.path() / "none") ==
        HealthPart::Numbers{{"free_bytes", 1024 * 1024}, {"total_bytes", 2048 * 1024}});
  std::ofstream(dir.path() / "memory.max") << "5000\n";
  std::ofstream(dir.path() / "memory.current") << "2000\n";
  CHECK(measure_host_memory(dir.path(), dir.path()) ==
        HealthPart::Numbers{{"free_bytes", 3000}, {"total_bytes", 5000}});
  CHECK(cpu_name(dir.path()).empty());
  std::ofstream(dir.path() / "cpuinfo") << "processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz\n\nmodel name\t: other\n";
  CHECK(cpu_name(dir.path()) == "Fast CPU @ 2 GHz");
}

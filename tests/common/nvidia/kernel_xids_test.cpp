#include "common/nvidia/kernel_xids.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using mdl::nvidia::kernel_xids;
using mdl::nvidia::parse_xid;
using mdl::nvidia::Xid;

TEST_CASE("an Xid error is read from the kernel's log with its GPU") {
  CHECK(parse_xid("4,1034,77,-;NVRM: Xid (PCI:0000:DC:00): 79, pid=1234, GPU has fallen off the bus.") ==
        Xid{"0000:dc:00", 79});
  CHECK(parse_xid("NVRM: Xid (PCI:0000:3b:00): 48") == Xid{"0000:3b:00", 48});
  for (const char* line :
       {"", "NVRM: Xid (PCI:0000:3b:00", "NVRM: Xid (PCI:0000:3b:00): x", "NVRM: Xid (PCI:): -7, pid", "NVRM: loading",
        "NVRM: Xid (PCI:0000:3b:00)79", "NVRM: Xid (PCI:0000:3b:00)xx79"}) {
    CHECK_FALSE(parse_xid(line));
  }
}

TEST_CASE("the kernel's log is read to its end, and one that may not be read has no answer") {
  const mdl::test::TempDir dir;
  const auto log = dir.path() / "kmsg";
  std::ofstream(log) << "6,1,1,-;booting\n4,2,9,-;NVRM: Xid (PCI:0000:3b:00): 48, pid=1\n6,3,10,-;up\n"
                     << "4,4,12,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=2\n";
  CHECK(kernel_xids(log) == std::vector<Xid>{{"0000:3b:00", 48}, {"0000:3b:00", 79}});
  std::ofstream(log) << "6,1,1,-;booting\n";
  CHECK(kernel_xids(log) == std::vector<Xid>{});
  CHECK_FALSE(kernel_xids(dir.path() / "none"));
  CHECK_FALSE(kernel_xids(dir.path()));  // it can be opened, and not read
  std::ofstream many(log);
  for (int i = 0; i < 20'000; ++i) { many << "NVRM: Xid (PCI:0): 48\n"; }
  many.close();
  CHECK(kernel_xids(log)->size() == 10'000);
}

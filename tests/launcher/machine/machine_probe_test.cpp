#include <catch2/catch.hpp>
#include <fstream>

#include "launcher/doctor/socket.hpp"
#include "launcher/machine/machine_probe.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
using namespace mdl::launcher::doctor;
using Catch::Contains;

TEST_CASE("a free port can be listened on, and then has a holder that is named") {
  const MachineFacts facts = probe_machine([] { return 3; });
  CHECK(facts.gpu_count() == 3);
  const int port = facts.free_port();
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");  // of which the kernel takes one
  int lowest = 0;
  int highest = 0;
  REQUIRE(range >> lowest >> highest);
  CHECK(port >= lowest);
  CHECK(port <= highest);
  CHECK_FALSE(facts.port_holder(port));
  const Listener listener = listen_on(port);
  REQUIRE(listener.socket);
  CHECK_THAT(facts.port_holder(port).value_or("nobody"),
             Contains("launcher_tests"));  // a process' name ends after 15 bytes
  CHECK(facts.free_port() != port);
}

#include "launcher/machine/machine_probe.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.hpp"
#include "common/port_holder.hpp"
#include "common/unique_fd.hpp"
#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::machine {
namespace {

/// Where the kernel knows no cores, all CPUs count.
int count_physical_cores() {
  const int cores = CpuTopology().core_count();
  return cores > 0 ? cores : static_cast<int>(usable_cpus().size());
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::optional<std::string> port_holder(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  // Asked as accelerate asks. The table of sockets alone would not do: it also has those of other addresses.
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return std::nullopt;
  }
  return name_port_holder(static_cast<std::uint16_t>(port));
}

int free_port() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw Error(describe_errno("find a free port", "on this machine", errno));
  }
  return ntohs(address.sin_port);
}

}  // namespace

MachineFacts probe_machine(std::function<int()> gpu_count) {
  MachineFacts facts;
  for (char** entry = environ; *entry; ++entry) {
    std::string line = *entry;
    std::size_t equals = line.find('=');
    if (equals != std::string::npos) { facts.environment[line.substr(0, equals)] = line.substr(equals + 1); }
  }
  facts.gpu_count = std::move(gpu_count);
  facts.physical_cores = count_physical_cores;
  facts.port_holder = port_holder;
  facts.free_port = free_port;
  return facts;
}

}  // namespace mdl::launcher::machine

// The load generator behind scripts/bench.sh: see usage().

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "tests/bench/rendezvous_bench.hpp"
#include "tests/bench/store_bench.hpp"

namespace {

int usage() {
  std::fputs(
      "usage: mdl-bench serve-store\n"
      "       mdl-bench connect|operations|waiting|hold PORT CLIENTS\n"
      "       mdl-bench rendezvous-host PORT\n"
      "       mdl-bench rendezvous-agents PORT AGENTS\n"
      "\n"
      "Talks to the TCPStore server at 127.0.0.1:PORT. scripts/bench/store.py and rendezvous.py put the numbers\n"
      "side by side.\n",
      stderr);
  return 2;
}

/// Thousands of connections need as many file descriptors.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int run(const std::string& verb, unsigned long port, std::size_t clients) {
  namespace bench = mdl::bench;
  const mdl::asio::ip::tcp::endpoint server(mdl::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
  if (verb == "connect") {
    bench::bench_connecting(server, clients);
  } else if (verb == "operations") {
    bench::bench_operations(server, clients);
  } else if (verb == "waiting") {
    bench::bench_waiting(server, clients);
  } else if (verb == "hold") {
    bench::hold_connections(server, clients);
  } else if (verb == "rendezvous-agents") {
    bench::join_rendezvous(server.port(), clients);
  } else {
    return usage();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  raise_file_limit();
  try {
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "serve-store" && argc == 2) {
      mdl::bench::serve_store();
      return 0;
    }
    if (verb == "rendezvous-host" && argc == 3) {
      mdl::bench::host_rendezvous(static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10)));
      return 0;
    }
    return argc == 4 ? run(verb, std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10)) : usage();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mdl-bench: %s\n", error.what());
    return 1;
  }
}

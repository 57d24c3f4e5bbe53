// A TCP store on its own, for tests in Python: listens on loopback, prints its port, and ends with its standard input.
// Usage: store_server_probe [any]      any: listen on every interface
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

#include "common/loop/asio.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
// After asio.hpp, which see.
#include <boost/asio/posix/stream_descriptor.hpp>

int main(int argc, char** argv) {
  using namespace mdl;
  using namespace mdl::rendezvous::server;
  try {
    asio::io_context io;
    const bool any = argc > 1 && std::string_view(argv[1]) == "any";
    TcpStoreServer server(io, any ? ListenAddress::any() : ListenAddress::loopback(), 0);
    server.start();
    std::printf("%u\n", static_cast<unsigned>(server.port()));
    std::fflush(stdout);

    asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
    std::array<char, 1> byte;
    input.async_read_some(asio::buffer(byte), [&](const auto&, std::size_t) { server.stop(); });
    io.run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

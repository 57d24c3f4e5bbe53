#include "launcher/hang/store_sockets.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/loop/asio.hpp"
#include "common/loop/tcp_socket.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::test;
using namespace mdl::launcher::hang;

TEST_CASE("this end of the connections to a port is found among the descriptors of processes") {
  asio::io_context io;
  const auto loopback = asio::ip::address_v4::loopback();
  asio::ip::tcp::acceptor acceptor(io, asio::ip::tcp::endpoint(loopback, 0));
  asio::ip::tcp::socket client(io);
  client.connect(acceptor.local_endpoint());
  asio::ip::tcp::socket other(io, asio::ip::tcp::v6());
  const std::string expected = loop::describe(client.local_endpoint());
  StoreSockets sockets(acceptor.local_endpoint().port());
  const ConnectionEnds found = sockets.of({::getpid()}, 8);
  CHECK((found.all && found.ends == std::vector<std::string>{expected}));
  const ConnectionEnds cut = sockets.of({::getpid()}, 0);
  CHECK((!cut.all && cut.ends.empty()));
  const ConnectionEnds none = sockets.of({}, 8);
  CHECK((none.all && none.ends.empty()));
  // The other end has that port as its own, and is none.
  StoreSockets reverse(client.local_endpoint().port());
  asio::ip::tcp::socket accepted = acceptor.accept();
  CHECK(reverse.of({::getpid()}, 8).ends == std::vector<std::string>{loop::describe(accepted.local_endpoint())});
}

TEST_CASE("connections are all known where both tables of a network were read whole, and IPv6 may be missing") {
  const TempDir dir;
  const std::filesystem::path process = dir.path() / "7";
  std::filesystem::create_directories(process / "net");
  std::filesystem::create_directories(process / "fd");
  std::filesystem::create_symlink("socket:[41]", process / "fd/3");
  const auto table = [&](const char* name, std::size_t spaces) {
    std::ofstream(process / "net" / name) << "0: 0100007F:E5D4 0100007F:7335 01 0:0 0:0 0 0 0 41 \n"
                                          << std::string(spaces, ' ');
  };
  const auto found = [&] { return StoreSockets(0x7335, dir.path()).of({7}, 8); };
  constexpr std::size_t kTooMany = 17 * 1024 * 1024;
  CHECK(!found().all);
  table("tcp6", 0);
  CHECK(!found().all);
  table("tcp", 0);
  CHECK((found().all && found().ends == std::vector<std::string>{"127.0.0.1:58836"}));
  table("tcp6", kTooMany);
  CHECK((!found().all && found().ends.size() == 1));
  std::filesystem::remove(process / "net/tcp6");
  CHECK(found().all);
  std::filesystem::create_directory(process / "net/tcp6");  // there, and cannot be read
  CHECK(!found().all);
  std::filesystem::remove(process / "net/tcp6");
  table("tcp", kTooMany);
  CHECK(!found().all);
}

TEST_CASE("a table of connections is read line by line, and what is none is passed over") {
  const char* table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:E5D4 0100007F:7335 01 00000000:00000000 00:00000000 00000000  1000        0 41 1 0 20 4\n"
      "   1: 0100007F:E5D6 0100007F:7336 01 00000000:00000000 00:00000000 00000000  1000        0 42 1 0 20 4\n"
      "   2: 0100007F:7335 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 43 1 0 20 4\n"
      "   3: 0000000000000000FFFF00000200000A:E5D8 0000000000000000FFFF00000100000A:7335 01 0:0 0:0 0 0 0 44\n"
      "   4: B80D0120000000000000000001000000:E5DA B80D0120000000000000000002000000:7335 01 0:0 0:0 0 0 0 45\n"
      "   5: 0100007F:E5DB\n   6: zz:1 0:7335 01 a b c d e 46\n   7: 0100007F:99999 0100007F:7335 01 0:0 0:0 0 0 0 "
      "47\n";
  const auto found = parse_tcp_table(table, 0x7335);
  CHECK(found == std::map<std::uint64_t, std::string>{
                     {41, "127.0.0.1:58836"}, {44, "10.0.0.2:58840"}, {45, "[2001:db8::1]:58842"}});
  CHECK(parse_tcp_table("", 1).empty());
  CHECK(parse_tcp_table(std::string(100'000, ' '), 1).empty());
}

#include "rendezvous/server/tcp_store_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/loop/tcp_socket.hpp"
#include "tests/rendezvous/sanitizers.hpp"
#include "tests/rendezvous/server/server_thread.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::loop;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using namespace mdl::rendezvous::store::wire;
using Catch::Contains;

namespace {

std::string number(std::uint64_t value) {
  std::string bytes;
  append_u64(bytes, value);
  return bytes;
}

/// Whether the server answers this client.
bool answers(RawClient& client) {
  client.send({.type = QueryType::ping, .number = 1});
  return client.receive(4) == std::string("\1\0\0\0", 4);
}

long resident_kib() {
  long pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * (::sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace

TEST_CASE("the server answers a client that introduces itself, also in pieces") {
  ServerThread server;
  RawClient client(server.port());
  for (const char byte : encode_handshake(0x01020304)) { client.send(std::string(1, byte)); }
  CHECK(client.receive(4) == "\4\3\2\1");
}

TEST_CASE("requests that arrive together are answered in order") {
  ServerThread server;
  RawClient client = RawClient::introduced(server.port());
  std::string requests;
  std::string answers;
  for (int i = 1; i <= 5000; ++i) {
    requests += encode({.type = QueryType::add, .key = "/n", .number = 1});
    answers += number(static_cast<std::uint64_t>(i));
  }
  client.send(requests);
  CHECK(client.receive(answers.size()) == answers);
}

TEST_CASE("one client's set wakes another's wait") {
  ServerThread server;
  RawClient waiting = RawClient::introduced(server.port());
  RawClient setting = RawClient::introduced(server.port());
  waiting.send({.type = QueryType::wait, .keys = {"/a"}});
  REQUIRE(answers(waiting));  // so the wait has been taken up
  setting.send({.type = QueryType::set, .key = "/a", .value = "1"});
  CHECK(waiting.receive(1) == std::string(1, '\0'));
}

TEST_CASE("an item in a queue is for one of those who wait for it") {
  ServerThread server;
  std::vector<RawClient> consumers;
  for (int i = 0; i < 3; ++i) {
    consumers.push_back(RawClient::introduced(server.port()));
    consumers.back().send({.type = QueryType::wait, .keys = {"/q"}});
    REQUIRE(answers(consumers.back()));
  }
  RawClient producer = RawClient::introduced(server.port());
  for (const char* item : {"a", "b", "c"}) {
    producer.send({.type = QueryType::queue_push, .key = "/q", .value = item});
  }
  std::string taken;
  for (RawClient& consumer : consumers) {
    CHECK(consumer.receive(1) == std::string(1, '\0'));
    consumer.send({.type = QueryType::queue_pop, .key = "/q"});
    consumer.receive(8);  // how many items there were
    CHECK(consumer.receive(8) == number(1));
    taken += consumer.receive(1);
  }
  CHECK(taken == "abc");
}

TEST_CASE("the largest value arrives whole at several clients") {
  ServerThread server;
  RawClient writer = RawClient::introduced(server.port());
  std::string value(kMaxValueBytes, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) { value[i] = static_cast<char>(i * 31 >> 3); }
  writer.send({.type = QueryType::set, .key = "/big", .value = value});
  REQUIRE(answers(writer));
  std::vector<RawClient> readers;
  for (int i = 0; i < 4; ++i) { readers.push_back(RawClient::introduced(server.port())); }
  for (RawClient& reader : readers) { reader.send({.type = QueryType::get, .key = "/big"}); }
  for (RawClient& reader : readers) { CHECK((reader.receive(8 + value.size()) == number(value.size()) + value)); }
}

TEST_CASE("a bad frame closes its client with one log line, and the others and the data stay") {
  ServerThread server;
  RawClient good = RawClient::introduced(server.port());
  good.send({.type = QueryType::set, .key = "/kept", .value = "data"});
  REQUIRE(answers(good));

  const auto [introduce, bytes, complaint] = GENERATE(table<bool, std::string, std::string>({
      {false, "GET / HTTP/1.1\r\n\r\n", "does not introduce itself"},
      {false, std::string("\0\1\2\3\4", 5), "wrong magic number"},
      {true, "\x2a", "unknown type 42"},
      {true, "\3\xff\xff\xff\xff\xff\xff\xff\x7f", "a key of 9223372036854775807 bytes"},
      {true, std::string("\6\xff\xff\xff\xff\0\0\0\0", 9), "a list of 4294967295 keys"},
      {true, encode({.type = QueryType::add, .key = "/kept", .number = 1}), "not a number"},
  }));
  CAPTURE(complaint);
  const StderrCapture log;
  RawClient bad = introduce ? RawClient::introduced(server.port()) : RawClient(server.port());
  bad.send(bytes);
  CHECK(bad.is_closed());
  CHECK(log.lines() == 1);
  CHECK_THAT(log.text(), Contains(complaint) && Contains("127.0.0.1:"));

  CHECK(answers(good));
  CHECK(server.call([](TcpStoreServer& s) { return s.get("kept"); }) == "data");
  CHECK(server.call([](TcpStoreServer& s) { return s.client_count(); }) == 1);
}

TEST_CASE("a client that leaves within a message is logged, one that leaves between messages is not") {
  ServerThread server;
  const StderrCapture log;
  RawClient polite = RawClient::introduced(server.port());
  polite.end_of_sending();
  CHECK(polite.is_closed());
  RawClient silent(server.port());  // as a port scanner does
  silent.end_of_sending();
  CHECK(silent.is_closed());
  CHECK(log.text() == "");

  RawClient rude = RawClient::introduced(server.port());
  const std::string message = encode({.type = QueryType::set, .key = "/half", .value = "0123456789"});
  rude.send(message.substr(0, message.size() - 3));
  rude.end_of_sending();
  CHECK(rude.is_closed());
  CHECK(log.lines() == 1);
  CHECK_THAT(log.text(), Contains("within a message"));
  CHECK_FALSE(server.call([](TcpStoreServer& s) { return s.get("half").has_value(); }));
}

TEST_CASE("a client that stops within a message, or never says a word, is closed in the end") {
  ServerThread server(ListenAddress::loopback(), {.stall_timeout = 50ms});
  const StderrCapture log;
  RawClient patient = RawClient::introduced(server.port());
  patient.send({.type = QueryType::wait, .keys = {"/never"}});
  RawClient half = RawClient::introduced(server.port());
  half.send(encode({.type = QueryType::get, .key = "/half"}).substr(0, 5));
  RawClient mute(server.port());
  CHECK(half.is_closed());
  CHECK(mute.is_closed());
  CHECK(log.lines() == 2);
  CHECK_THAT(log.text(), Contains("part of a message") && Contains("has said nothing"));
  CHECK(answers(patient));
}

TEST_CASE("a client that never reads cannot grow the server, and is closed") {
  ServerThread server(ListenAddress::loopback(), {.stall_timeout = 300ms});
  RawClient good = RawClient::introduced(server.port());
  server.call([](TcpStoreServer& s) {
    for (int i = 0; i < 1000; ++i) { s.set(std::string(100, 'k') + std::to_string(i), "v"); }
    s.set("large", std::string(kMaxValueBytes, 'v'));
  });
  const StderrCapture log;
  const long before = resident_kib();

  // 5,000 lists of 110 KB: half a gigabyte, if the server took it on itself.
  RawClient deaf = RawClient::introduced(server.port());
  deaf.send(std::string(5000, static_cast<char>(QueryType::list_keys)));
  // The same with one large value, 80 GB in one message.
  RawClient greedy = RawClient::introduced(server.port());
  greedy.send({.type = QueryType::multi_get, .keys = std::vector<std::string>(10'000, "/large")});
  CHECK(answers(good));
  while (server.call([](TcpStoreServer& s) { return s.client_count(); }) > 1) { CHECK(answers(good)); }

  CHECK(resident_kib() - before < 64 * 1024);
  CHECK(log.lines() == 2);
  CHECK_THAT(log.text(), Contains("bytes of replies unread"));
  CHECK(deaf.drain() < 5000u * 110'000u);
  CHECK(server.call([](TcpStoreServer& s) { return s.get("large")->size(); }) == kMaxValueBytes);
}

TEST_CASE("a client that reads slowly gets everything") {
  ServerThread server;
  server.call([](TcpStoreServer& s) { s.set("part", std::string(100'000, 'p')); });
  RawClient slow = RawClient::introduced(server.port());
  constexpr std::size_t kParts = 300;  // 30 MB: far more than the sockets and the server's queue hold
  slow.send({.type = QueryType::multi_get, .keys = std::vector<std::string>(kParts, "/part")});
  slow.send({.type = QueryType::ping, .number = 5});
  std::size_t right = 0;
  for (std::size_t i = 0; i < kParts; ++i) {
    right += slow.receive(8 + 100'000) == number(100'000) + std::string(100'000, 'p');
  }
  CHECK(right == kParts);
  CHECK(slow.receive(4) == std::string("\5\0\0\0", 4));
}

TEST_CASE("a client that goes away while it waits is forgotten") {
  ServerThread server;
  RawClient other = RawClient::introduced(server.port());
  {
    RawClient client = RawClient::introduced(server.port());
    client.send({.type = QueryType::barrier, .key = "/b", .number = 3});
    REQUIRE(answers(client));
  }
  while (server.call([](TcpStoreServer& s) { return s.client_count(); }) > 1) { CHECK(answers(other)); }
  other.send({.type = QueryType::set, .key = "/b", .value = "9"});
  CHECK(answers(other));
}

TEST_CASE("the process that hosts the store uses it without a socket") {
  ServerThread server;
  RawClient client = RawClient::introduced(server.port());
  client.send({.type = QueryType::wait, .keys = {"/a/b"}});
  REQUIRE(answers(client));
  server.call([](TcpStoreServer& s) {
    s.set("a/b", "value");
    CHECK(s.get("a/b") == "value");
    CHECK_FALSE(s.get("nothing").has_value());
    s.set("c", "first");
    CHECK(s.list_keys() == std::vector<std::string>{"a/b", "c"});
    CHECK(s.erase("c"));
    CHECK_FALSE(s.erase("c"));
  });
  CHECK(client.receive(1) == std::string(1, '\0'));
  client.send({.type = QueryType::get, .key = "/a/b"});
  CHECK(client.receive(13) == number(5) + "value");
}

TEST_CASE("a server that stops closes the clients that wait") {
  ServerThread server;
  RawClient client = RawClient::introduced(server.port());
  client.send({.type = QueryType::wait, .keys = {"/a", "/b"}});
  REQUIRE(answers(client));
  server.call([](TcpStoreServer& s) { s.stop(); });
  CHECK(client.is_closed());
}

TEST_CASE("a port in use is an error that names it") {
  ServerThread first(GENERATE(ListenAddress::loopback(), ListenAddress::any()));
  asio::io_context io;
  const auto address =
      GENERATE(ListenAddress::loopback(), ListenAddress::any(), ListenAddress::on(asio::ip::address_v4::loopback()));
  try {
    TcpStoreServer second(io, address, first.port());
    FAIL("took the port of another server");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Contains(":" + std::to_string(first.port()) + ": Address already in use"));
    CHECK_THAT(error.what(), Contains("(process " + std::to_string(::getpid()) + ")"));
  }
}

TEST_CASE("an address that is not this machine's is an error that names it") {
  asio::io_context io;
  CHECK_THROWS_WITH(TcpStoreServer(io, ListenAddress::on(asio::ip::make_address("192.0.2.1")), 0),
                    Contains("cannot listen on 192.0.2.1:0"));
}

TEST_CASE("a server can start again at its port while old connections linger") {
  std::uint16_t port = 0;
  {
    ServerThread server;
    port = server.port();
    RawClient client = RawClient::introduced(port);
    server.call([](TcpStoreServer& s) { s.stop(); });  // the server's side ends first: its port is in TIME_WAIT
    CHECK(client.is_closed());
  }
  ServerThread again(ListenAddress::loopback(), {}, port);
  CHECK(again.port() == port);
}

TEST_CASE("a loopback server is reached by both loopback addresses and by no other") {
  ServerThread server;
  CHECK_NOTHROW(RawClient(server.port(), "127.0.0.1"));
  const auto own = local_addresses();
  if (std::find(own.begin(), own.end(), "::1") != own.end()) { CHECK_NOTHROW(RawClient(server.port(), "::1")); }
  if (!own.front().starts_with("127.") && own.front() != "::1") {
    CHECK_THROWS(RawClient(server.port(), own.front().c_str()));
  }
}

TEST_CASE("a server for any address is reached by every address of the machine") {
  ServerThread server(ListenAddress::any());
  for (const std::string& address : local_addresses()) {
    CAPTURE(address);
    CHECK_NOTHROW(RawClient(server.port(), address.c_str()));
  }
}

TEST_CASE("programs that the host process starts inherit none of the server's sockets") {
  ServerThread server;
  RawClient client = RawClient::introduced(server.port());
  close_on_exec(client.socket().native_handle());
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    int type = 0;
    socklen_t size = sizeof(type);
    sockaddr_storage name{};
    socklen_t name_size = sizeof(name);
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) { continue; }
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &name_size) != 0) { continue; }
    if (name.ss_family != AF_INET && name.ss_family != AF_INET6) { continue; }
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("when the process is out of descriptors, clients wait and the server goes on") {
  if (sanitizer_needs_descriptors()) { return; }
  ServerThread server;
  RawClient first = RawClient::introduced(server.port());
  RawClient second(server.port());
  REQUIRE(answers(first));
  second.send(encode_handshake(1));
  second.receive(4);

  rlimit saved{};
  ::getrlimit(RLIMIT_NOFILE, &saved);
  const StderrCapture log;
  asio::io_context io;
  asio::ip::tcp::socket late(io);
  late.open(asio::ip::tcp::v4());
  rlimit none = saved;
  none.rlim_cur = 3;  // every new descriptor would be above
  ::setrlimit(RLIMIT_NOFILE, &none);
  late.connect({asio::ip::address_v4::loopback(), server.port()});
  asio::write(late, asio::buffer(encode_handshake(9)));
  while (log.lines() == 0) { CHECK(answers(first)); }
  ::setrlimit(RLIMIT_NOFILE, &saved);

  std::string nonce(4, '\0');
  asio::read(late, asio::buffer(nonce));
  CHECK(nonce == std::string("\x09\0\0\0", 4));
  CHECK(log.lines() == 1);
  CHECK_THAT(log.text(), Contains("cannot accept more clients: Too many open files"));
}

TEST_CASE("a server goes away in peace with clients connected and waiting") {
  asio::io_context io;
  auto server = std::make_unique<TcpStoreServer>(io, ListenAddress::loopback(), 0);
  server->start();
  RawClient client(server->port());
  client.send(encode_handshake(1));
  client.send({.type = QueryType::wait, .keys = {"/never"}});
  while (server->client_count() == 0) { io.poll(); }
  io.poll();
  SECTION("and the loop runs on") {
    server.reset();
    io.run();
  }
  SECTION("and the loop ends too") {
    server.reset();
  }
  CHECK(client.receive(4).size() == 4);
  CHECK(client.is_closed());
}

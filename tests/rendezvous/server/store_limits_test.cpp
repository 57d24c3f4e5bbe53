// What the store and its server do when clients ask for more than there is.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <deque>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "rendezvous/store/store.hpp"
#include "tests/rendezvous/sanitizers.hpp"
#include "tests/rendezvous/server/server_thread.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::rendezvous::server;
using namespace mdl::rendezvous::store;
using namespace mdl::test;
using namespace mdl::rendezvous::store::wire;
using Catch::Contains;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

bool pings(RawClient& client) {
  client.send({.type = QueryType::ping, .number = 1});
  return client.receive(4) == std::string("\1\0\0\0", 4);
}

Complaint apply(StoreState& state, Query query, ClientId from = 1) {
  std::vector<StoreReply> replies;
  return state.apply(from, std::move(query), replies);
}

Query query(QueryType type, std::string key, std::string value = {}) {
  Query made;
  made.type = type;
  made.key = std::move(key);
  made.value = std::move(value);
  return made;
}

Query wait_query(std::vector<std::string> keys) {
  Query made;
  made.type = QueryType::wait;
  made.keys = std::move(keys);
  return made;
}

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/// As many introduced clients as `count`.
std::deque<RawClient> crowd(std::uint16_t port, std::size_t count) {
  std::deque<RawClient> clients;
  for (std::size_t i = 0; i < count; ++i) { clients.push_back(RawClient::introduced(port)); }
  return clients;
}

}  // namespace

TEST_CASE("what every query adds to the store is counted, and what it takes away is not any more") {
  StoreState state(100'000);
  CHECK(state.held_bytes() == 0);
  apply(state, query(QueryType::set, "/a", std::string(1000, 'x')));
  CHECK(state.held_bytes() == 1000 + 2 + StoreState::kEntryBytes);
  apply(state, query(QueryType::set, "/a", "short"));
  apply(state, query(QueryType::append, "/a", "er"));
  CHECK(state.held_bytes() == 7 + 2 + StoreState::kEntryBytes);
  apply(state, query(QueryType::queue_push, "/q", std::string(500, 'q')));
  apply(state, query(QueryType::queue_push, "/q", "z"));
  apply(state, wait_query({"/b", "/c"}));
  apply(state, wait_query({"/b", "/d"}), 2);
  CHECK(state.held_bytes() > 501 + 9 * StoreState::kEntryBytes);
  apply(state, query(QueryType::queue_pop, "/q"));
  apply(state, query(QueryType::queue_pop, "/q"));
  apply(state, query(QueryType::set, "/b"));
  apply(state, query(QueryType::set, "/c"));
  state.forget(2);
  for (const char* key : {"/a", "/b", "/c", "/none"}) { apply(state, query(QueryType::delete_key, key)); }
  CHECK(state.held_bytes() == 0);
  CHECK(state.bytes_in_replies() == 0);
}

TEST_CASE("a query that would exceed the limit changes nothing, says why, and others go on") {
  StoreState state(10'000);
  CHECK_FALSE(apply(state, query(QueryType::set, "/a", std::string(5000, 'a'))));
  const std::size_t held = state.held_bytes();
  CHECK_THAT(apply(state, query(QueryType::set, "/b", std::string(5000, 'b'))).value_or(""),
             Contains("more than 10000 bytes") && Contains("\"/b\""));
  CHECK_THAT(apply(state, query(QueryType::append, "/a", std::string(5000, 'b'))).value_or(""), Contains("more than"));
  CHECK_THAT(apply(state, query(QueryType::compare_set, "/b", std::string(5000, 'b'))).value_or(""),
             Contains("more than"));
  CHECK_THAT(apply(state, query(QueryType::queue_push, "/b", std::string(5000, 'b'))).value_or(""),
             Contains("more than"));
  CHECK_THAT(apply(state, wait_query({std::string(4000, 'k')})).value_or(""), Contains("more than"));
  CHECK(state.held_bytes() == held);
  CHECK(state.keys().size() == 1);
  CHECK(state.waiting_count() == 0);
  // A change that makes it no larger is none of these; nor is one by the process itself.
  CHECK_FALSE(apply(state, query(QueryType::set, "/a", std::string(5000, 'c'))));
  CHECK_FALSE(apply(state, query(QueryType::set, "/own", std::string(9000, 'c')), kOwnClient));
  CHECK(apply(state, query(QueryType::add, "/n")));
  CHECK(apply(state, query(QueryType::barrier, "/n")));
}

TEST_CASE("the key space ends where the store's limit is, for keys without values too") {
  StoreState state(1'000'000);
  std::size_t keys = 0;
  while (!apply(state, query(QueryType::set, "/" + std::to_string(keys)))) { ++keys; }
  CHECK(keys < 1'000'000 / StoreState::kEntryBytes);
  CHECK(keys > 1'000'000 / (2 * StoreState::kEntryBytes));
  CHECK(state.keys().size() == keys);
}

TEST_CASE("the list of all keys is one for all who are being sent it") {
  StoreState state;
  for (int i = 0; i < 1000; ++i) { apply(state, query(QueryType::set, "/" + std::to_string(i))); }
  std::vector<StoreReply> replies;
  for (ClientId client = 1; client <= 10; ++client) { state.apply(client, query(QueryType::list_keys, ""), replies); }
  const std::size_t one = replies.front().value->size();
  CHECK(state.bytes_in_replies() == one);
  apply(state, query(QueryType::set, "/new"));
  state.apply(1, query(QueryType::list_keys, ""), replies);
  CHECK(replies.back().value->size() == one + sizeof(std::uint64_t) + 4);
  apply(state, query(QueryType::delete_key, "/new"));
  state.apply(1, query(QueryType::list_keys, ""), replies);
  CHECK(replies.back().value->size() == one);
  replies.clear();
  CHECK(state.bytes_in_replies() == 0);
}

TEST_CASE("who fills the store is closed and told in the log, and the others read and write what is there") {
  const StderrCapture log;
  TcpStoreServerOptions options;
  options.most_stored_bytes = 4 * kMiB;
  ServerThread server(ListenAddress::loopback(), options);
  RawClient honest = RawClient::introduced(server.port());
  honest.send(query(QueryType::set, "/kept", "data"));
  REQUIRE(pings(honest));
  RawClient greedy = RawClient::introduced(server.port());
  for (int i = 0; i < 5; ++i) {
    greedy.send_what_is_taken(encode(query(QueryType::set, "/" + std::to_string(i), std::string(kMiB, 'x'))));
  }
  CHECK(greedy.is_closed());
  CHECK_THAT(log.text(), Contains("wants the store to hold more than 4194304 bytes"));
  honest.send(query(QueryType::set, "/kept", "DATA"));
  CHECK(pings(honest));
  CHECK(server.call([](TcpStoreServer& s) { return s.get("kept"); }) == "DATA");
}

TEST_CASE("who is a client already does not wait for hundreds that come at once") {
  ServerThread server;
  const RawClient honest = RawClient::introduced(server.port());
  std::deque<RawClient> crowd;
  std::promise<std::size_t> clients_soon;
  server.call([&](TcpStoreServer& s) {
    for (int i = 0; i < 500; ++i) {
      crowd.emplace_back(server.port());  // they are the kernel's until the server looks
    }
    // Two turns later: in the first it finds out that they are there, and then it takes the first of them.
    server.post([&] { server.post([&] { clients_soon.set_value(s.client_count()); }); });
  });
  CHECK(clients_soon.get_future().get() < 100);
  while (server.call([](TcpStoreServer& s) { return s.client_count(); }) < 501) { std::this_thread::yield(); }
}

TEST_CASE("large messages that never end do not add up: the oldest of them goes first") {
  TcpStoreServerOptions options;
  options.most_bytes_for_clients = 16 * kMiB;
  ServerThread server(ListenAddress::loopback(), options);
  const StderrCapture log;
  RawClient honest = RawClient::introduced(server.port());
  std::deque<RawClient> hostile = crowd(server.port(), 20);
  std::string head = encode(query(QueryType::set, "/half", ""));
  head.resize(head.size() - sizeof(std::uint64_t));
  append_u64(head, kMaxValueBytes);
  head += std::string(3 * kMiB, 'x');
  const std::size_t before = resident_bytes();
  for (RawClient& client : hostile) {
    client.send_what_is_taken(head);
    CHECK(pings(honest));
  }
  CHECK(hostile.front().is_closed());
  CHECK_THAT(log.text(), Contains("has been waited for longest"));
  CHECK(resident_bytes() < before + with_sanitizers_own(3 * options.most_bytes_for_clients));
  CHECK(server.call([](TcpStoreServer& s) { return s.client_count(); }) >= 3);
}

TEST_CASE("values that are gone but for unread replies do not add up") {
  TcpStoreServerOptions options;
  options.most_bytes_for_clients = 32 * kMiB;
  ServerThread server(ListenAddress::loopback(), options);
  const StderrCapture log;
  RawClient honest = RawClient::introduced(server.port());
  const std::size_t before = resident_bytes();
  std::deque<RawClient> hostile = crowd(server.port(), 20);
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    honest.send(query(QueryType::set, "/large", std::string(kMaxValueBytes, static_cast<char>('a' + i))));
    hostile[i].send(query(QueryType::get, "/large"));
    CHECK(pings(honest));
  }
  honest.send(query(QueryType::set, "/large", ""));
  CHECK(pings(honest));
  CHECK_THAT(log.text(), Contains("has been waited for longest"));
  CHECK(resident_bytes() < before + with_sanitizers_own(4 * options.most_bytes_for_clients));
}

TEST_CASE("clients that ask without reading do not add up, and honest ones are answered meanwhile") {
  TcpStoreServerOptions options;
  options.most_bytes_for_clients = 8 * kMiB;
  ServerThread server(ListenAddress::loopback(), options);
  RawClient honest = RawClient::introduced(server.port());
  honest.send(query(QueryType::set, "/v", std::string(4000, 'v')));  // small enough to be copied for each reply
  REQUIRE(pings(honest));
  std::deque<RawClient> hostile = crowd(server.port(), 100);
  std::string requests;
  for (int i = 0; i < 2000; ++i) { requests += encode(query(QueryType::get, "/v")); }
  const std::size_t before = resident_bytes();
  for (RawClient& client : hostile) {
    client.socket().non_blocking(true);
    boost::system::error_code full;
    client.socket().write_some(asio::buffer(requests), full);
    CHECK(pings(honest));
  }
  CHECK(resident_bytes() < before + with_sanitizers_own(4 * options.most_bytes_for_clients));
  CHECK(pings(honest));
}

TEST_CASE("thousands of requests at once do not keep another client waiting for their end") {
  ServerThread server;
  RawClient honest = RawClient::introduced(server.port());
  RawClient flood = RawClient::introduced(server.port());
  constexpr int kRequests = 200'000;
  std::string requests;
  for (int i = 0; i < kRequests; ++i) { requests += encode(query(QueryType::add, "/n", "")); }
  Query one;
  one.type = QueryType::add;
  one.key = "/n";
  one.number = 1;
  requests.clear();
  for (int i = 0; i < kRequests; ++i) { requests += encode(one); }
  std::thread sender([&] { flood.send(requests); });
  std::thread reader([&] { flood.receive(kRequests * sizeof(std::int64_t)); });
  int answered = 0;
  while (server.call([](TcpStoreServer& s) { return s.get("n").value_or("0"); }) != std::to_string(kRequests)) {
    CHECK(pings(honest));
    ++answered;
  }
  sender.join();
  reader.join();
  CHECK(answered > 10);
}

TEST_CASE("ten thousand clients that wait for one key are all woken, and none is forgotten") {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t kSpare = 200;
  // Both ends of each connection are this process's.
  const std::size_t count = std::min<std::size_t>(10'000, (limit.rlim_cur - kSpare) / 2);
  ServerThread server;
  asio::io_context io;
  std::deque<asio::ip::tcp::socket> waiting;
  const std::string hello = encode_handshake(7) + encode(wait_query({"/flag"}));
  for (std::size_t i = 0; i < count; ++i) {
    waiting.emplace_back(io);
    waiting.back().connect({asio::ip::address_v4::loopback(), server.port()});
    asio::write(waiting.back(), asio::buffer(hello));
  }
  std::string nonce(4, '\0');
  for (asio::ip::tcp::socket& client : waiting) { asio::read(client, asio::buffer(nonce)); }
  RawClient honest = RawClient::introduced(server.port());
  CHECK(server.call([](TcpStoreServer& s) { return s.client_count(); }) == count + 1);
  honest.send(query(QueryType::set, "/flag", "up"));
  CHECK(pings(honest));
  std::size_t woken = 0;
  std::string byte(1, '\0');
  for (asio::ip::tcp::socket& client : waiting) {
    asio::read(client, asio::buffer(byte));
    woken += byte.front() == static_cast<char>(WaitReply::stop_waiting) ? 1 : 0;
  }
  CHECK(woken == count);
}

TEST_CASE("when descriptors run out, silent strangers make room, and the server does not spin") {
  if (sanitizer_needs_descriptors()) { return; }
  TcpStoreServerOptions options;
  ServerThread server(ListenAddress::loopback(), options);
  RawClient honest = RawClient::introduced(server.port());
  std::deque<RawClient> strangers;
  for (int i = 0; i < 5; ++i) { strangers.emplace_back(server.port()); }
  while (server.call([](TcpStoreServer& s) { return s.client_count(); }) < 6) { CHECK(pings(honest)); }
  const auto came = std::chrono::steady_clock::now();
  const StderrCapture log;
  asio::io_context io;
  asio::ip::tcp::socket late(io);
  late.open(asio::ip::tcp::v4());
  rlimit saved{};
  ::getrlimit(RLIMIT_NOFILE, &saved);
  rlimit none = saved;
  none.rlim_cur = 3;  // every new descriptor would be above
  ::setrlimit(RLIMIT_NOFILE, &none);
  late.connect({asio::ip::address_v4::loopback(), server.port()});
  const double cpu = cpu_seconds();
  // Once they have had a second to introduce themselves they go.
  CHECK(strangers.front().is_closed());
  CHECK(std::chrono::steady_clock::now() - came > 500ms);
  const double used = cpu_seconds() - cpu;
  ::setrlimit(RLIMIT_NOFILE, &saved);
  CHECK(used < 0.5);  // of more than half a second: a loop that spins uses all of it
  CHECK(pings(honest));
  CHECK_THAT(log.text(), Contains("has not introduced itself, and the process is out of descriptors"));
}

// Does every operation of TcpStoreClient against a server, for tests in Python with torch's own. Prints a line for each
// claim that does not hold; exits with 0 when all hold.
// Usage: store_client_probe PORT
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace {

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace std::chrono_literals;

int failures = 0;

void claim(bool holds, const char* what) {
  if (holds) { return; }
  ++failures;
  std::printf("does not hold: %s\n", what);
}

asio::awaitable<void> plain_keys(TcpStoreClient& store) {
  co_await store.set("k", "v");
  claim(co_await store.get("k", 5s) == "v", "get of what was set");
  claim(!co_await store.get_now("missing"), "get_now of a missing key is nothing");
  claim(co_await store.add("n", 40) == 40, "add from nothing");
  claim(co_await store.add("n", 2) == 42, "add");
  std::vector<std::string> keys{"k", "n"};
  claim(co_await store.check(keys), "check of keys that are there");
  claim(co_await store.wait(keys, 5s), "wait for keys that are there");
  keys.push_back("missing");
  claim(!co_await store.check(keys), "check of a missing key");
  claim(!co_await store.wait(keys, 10ms), "wait for a missing key");
  claim(!co_await store.get("missing", 10ms), "get of a missing key");
  claim(co_await store.compare_set("c", "", "one") == "one", "compare_set of a new key");
  claim(co_await store.compare_set("c", "two", "three") == "one", "compare_set with a wrong expectation");
  claim(co_await store.compare_set("c", "one", "two") == "two", "compare_set");
  claim(co_await store.compare_set("c2", "x", "y") == "x", "compare_set of a missing key");
}

asio::awaitable<void> many_keys(TcpStoreClient& store) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::vector<std::string> keys;
  std::vector<std::string> values;
  for (int i = 0; i < 100; ++i) {
    keys.push_back("m" + std::to_string(i));
    values.push_back(std::string(static_cast<std::size_t>(i) * 1000, 'x'));
    pairs.emplace_back(keys.back(), values.back());
  }
  const std::vector<std::string> before = co_await store.list_keys();
  co_await store.multi_set(pairs);
  const auto got = co_await store.multi_get(keys, 5s);
  claim(got == values, "multi_get of what multi_set set");
  const std::vector<std::string> listed = co_await store.list_keys();
  claim(listed.size() == before.size() + 100, "list_keys");
  claim(co_await store.delete_key("m0"), "delete of a key");
  claim(!co_await store.delete_key("m0"), "delete of a missing key");
  std::string large(8 * 1024 * 1024, 'L');
  co_await store.set("large", large);
  claim(co_await store.get("large", 5s) == large, "a value of 8 MiB");
}

asio::awaitable<void> everything(std::uint16_t port) {
  TcpStoreClient store = co_await TcpStoreClient::connect(Endpoint("127.0.0.1", port), StoreCredential(), 10s);
  co_await plain_keys(store);
  co_await many_keys(store);
  co_await store.set("probe", "done");
  claim(co_await store.get("probe", 5s) == "done", "the connection is still good at the end");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) { return 2; }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  asio::io_context io;
  asio::co_spawn(io, everything(port), [](const std::exception_ptr& error) {
    if (error) { std::rethrow_exception(error); }
  });
  try {
    io.run();
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  return failures == 0 ? 0 : 1;
}

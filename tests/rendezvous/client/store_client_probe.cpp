// Does every operation of TcpStoreClient against a server, for tests in Python with torch's own. Prints a line for each
// claim that does not hold; exits with 0 when all hold.
// Usage: store_client_probe PORT [no-queues]     no-queues: torch's server without libuv has none
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
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
  co_await store.append("k", "w");
  claim(co_await store.get("k", 5s) == "vw", "append");
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
  const std::int64_t before = co_await store.key_count();
  co_await store.multi_set(pairs);
  const auto got = co_await store.multi_get(keys, 5s);
  claim(got == values, "multi_get of what multi_set set");
  claim(co_await store.key_count() == before + 100, "key_count");
  const std::vector<std::string> listed = co_await store.list_keys();
  claim(listed.size() == static_cast<std::size_t>(before) + 100, "list_keys");
  claim(co_await store.delete_key("m0"), "delete of a key");
  claim(!co_await store.delete_key("m0"), "delete of a missing key");
  std::string large(8 * 1024 * 1024, 'L');
  co_await store.set("large", large);
  claim(co_await store.get("large", 5s) == large, "a value of 8 MiB");
}

asio::awaitable<void> queues(TcpStoreClient& store) {
  co_await store.queue_push("q", "first");
  co_await store.queue_push("q", "second");
  claim(co_await store.queue_length("q") == 2, "queue_length");
  claim(co_await store.queue_pop("q", 0ms) == "first", "queue_pop");
  claim(co_await store.queue_pop("q", 5s) == "second", "queue_pop that may wait");
  claim(!co_await store.queue_pop("q", 0ms), "queue_pop of an empty queue");
  claim(!co_await store.queue_pop("q", 10ms), "queue_pop that waits in vain");
}

/// `passed`: how many others have come through the barrier, some of them after this coroutine's end.
asio::awaitable<void> barriers(TcpStoreClient& store, std::uint16_t port, int& passed) {
  claim(!co_await store.barrier("alone", 2, 10ms), "a barrier where nobody else comes");
  claim(co_await store.barrier("alone", 2, 5s), "a barrier where the second comes");
  const auto executor = co_await asio::this_coro::executor;
  const auto other = [](std::uint16_t at, int& count) -> asio::awaitable<void> {
    TcpStoreClient client = co_await TcpStoreClient::connect(Endpoint("127.0.0.1", at), StoreCredential(), 5s);
    const bool met = co_await client.barrier("b", 3, 5s);
    count += met ? 1 : 0;
  };
  asio::co_spawn(executor, other(port, passed), asio::detached);
  asio::co_spawn(executor, other(port, passed), asio::detached);
  claim(co_await store.barrier("b", 3, 5s), "a barrier of three");
}

asio::awaitable<void> everything(std::uint16_t port, bool with_queues, int& passed) {
  TcpStoreClient store = co_await TcpStoreClient::connect(Endpoint("127.0.0.1", port), StoreCredential(), 10s);
  co_await plain_keys(store);
  co_await many_keys(store);
  if (with_queues) { co_await queues(store); }
  co_await barriers(store, port, passed);
  co_await store.set("probe", "done");
  claim(co_await store.get("probe", 5s) == "done", "the connection is still good at the end");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) { return 2; }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const bool with_queues = !(argc > 2 && std::string_view(argv[2]) == "no-queues");
  int passed = 0;
  asio::io_context io;
  asio::co_spawn(io, everything(port, with_queues, passed), [](const std::exception_ptr& error) {
    if (error) { std::rethrow_exception(error); }
  });
  try {
    io.run();
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  claim(passed == 2, "a barrier that the two others come through too");
  return failures == 0 ? 0 : 1;
}

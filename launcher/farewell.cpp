#include "launcher/farewell.hpp"

#include <utility>
#include <vector>

#include "common/str_cat.hpp"

namespace mdl::launcher {
namespace {

const char* const kHostLeaves = "host_leaves";
const char* const kSigners = "signers";
const char* const kAllSigned = "all_signed";

}  // namespace

std::string Farewell::key(std::int64_t round, const char* name) const {
  return str_cat(board_.prefix(), "round/", round, "/farewell/", name);
}

asio::awaitable<void> Farewell::say(TcpStoreClient& store, std::int64_t round) const {
  co_await store.set(key(round, kHostLeaves), "1");
}

asio::awaitable<bool> Farewell::was_said(TcpStoreClient& store, std::int64_t round) const {
  std::vector<std::string> keys;
  keys.push_back(key(round, kHostLeaves));
  co_return co_await store.check(std::move(keys));
}

asio::awaitable<void> Farewell::sign(TcpStoreClient& store, std::int64_t round) const {
  const std::int64_t signers = co_await store.add(key(round, kSigners), 1);
  const std::int64_t agents = co_await board_.enrolled(store, round);
  if (signers >= agents) co_await store.set(key(round, kAllSigned), "1");
}

asio::awaitable<bool> Farewell::wait_for_signatures(TcpStoreClient& store, std::int64_t round,
                                                    std::chrono::milliseconds timeout) const {
  std::vector<std::string> keys;
  keys.push_back(key(round, kAllSigned));
  co_return co_await store.wait(keys, timeout);
}

}  // namespace mdl::launcher

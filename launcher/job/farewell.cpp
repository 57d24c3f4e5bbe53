#include "launcher/job/farewell.hpp"

#include <utility>
#include <vector>

#include "common/str_cat.hpp"

namespace mdl::launcher::job {
namespace {

const char* const kHostLeaves = "host_leaves";
const char* const kSigners = "signers";
const char* const kAllSigned = "all_signed";

}  // namespace

std::string Farewell::key(std::int64_t round, const char* name) const {
  return str_cat(board_.prefix(), "round/", round, "/farewell/", name);
}

Signatures Farewell::signatures(std::int64_t round) const {
  return {key(round, kSigners), key(round, kAllSigned)};
}

asio::awaitable<void> Farewell::say(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  co_await store.set(key(round, kHostLeaves), "1");
}

asio::awaitable<bool> Farewell::was_said(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  std::vector<std::string> keys;
  keys.push_back(key(round, kHostLeaves));
  co_return co_await store.check(std::move(keys));
}

asio::awaitable<void> Farewell::sign(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  const std::int64_t agents = co_await board_.enrolled(store, round);
  Signatures list = signatures(round);
  co_await job::sign(store, std::move(list), agents);
}

asio::awaitable<bool> Farewell::wait_for_signatures(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                                    std::chrono::milliseconds timeout) const {
  Signatures list = signatures(round);
  co_return co_await wait_for_all(store, std::move(list), timeout);
}

asio::awaitable<void> Farewell::forget(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  for (const char* name : {kHostLeaves, kSigners, kAllSigned}) { co_await store.delete_key(key(round, name)); }
}

}  // namespace mdl::launcher::job

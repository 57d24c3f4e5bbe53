#include "launcher/job/signatures.hpp"

#include <utility>
#include <vector>

namespace mdl::launcher::job {

asio::awaitable<void> sign(rendezvous::client::TcpStoreClient& store, Signatures list, std::int64_t agents) {
  const std::int64_t signers = co_await store.add(list.count, 1);
  if (signers >= agents) { co_await store.set(list.full, "1"); }
}

asio::awaitable<bool> wait_for_all(rendezvous::client::TcpStoreClient& store, Signatures list,
                                   std::chrono::milliseconds timeout) {
  std::vector<std::string> keys;
  keys.push_back(list.full);
  co_return co_await store.wait(keys, timeout);
}

}  // namespace mdl::launcher::job

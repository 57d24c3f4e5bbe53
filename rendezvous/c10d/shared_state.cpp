#include "rendezvous/c10d/shared_state.hpp"

#include <utility>

#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {

std::string state_key(const std::string& run_id) {
  return str_cat(kStateKeyPrefix, run_id);
}

std::string round_prefix(const std::string& run_id, std::int64_t round) {
  return str_cat(state_key(run_id), ".", round, "/");
}

SharedRendezvousState::SharedRendezvousState(client::TcpStoreClient& store, const std::string& run_id)
    : store_(store), key_(state_key(run_id)) {}

asio::awaitable<void> SharedRendezvousState::read() {
  // Makes the key where it is not there, and says what is there where it is.
  take(co_await store_.compare_set(key_, std::string(), std::string(kNoRendezvousState)));
}

asio::awaitable<bool> SharedRendezvousState::replace(RendezvousState next) {
  std::string desired = encode_rendezvous_state(next);
  std::string now = co_await store_.compare_set(key_, stored_, desired);
  if (now == desired) {
    stored_ = std::move(desired);
    state_ = std::move(next);
    co_return true;
  }
  // A store where the expected value lies would have set the desired one. It answers with the expected one when it has
  // none.
  const bool lost = now == stored_;
  if (lost) {
    co_await read();
  } else {
    take(std::move(now));
  }
  co_return false;
}

void SharedRendezvousState::take(std::string stored) {
  if (stored == stored_) { return; }
  state_ = decode_rendezvous_state(stored);
  stored_ = std::move(stored);
}

}  // namespace mdl::rendezvous::c10d

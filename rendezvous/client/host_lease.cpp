#include "rendezvous/client/host_lease.hpp"

#include <optional>
#include <utility>

#include "common/log.hpp"
#include "rendezvous/client/store_connection.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::client {
namespace {

constexpr std::chrono::milliseconds kDialTimeout{5000};
constexpr std::chrono::milliseconds kRedialPause{500};
/// The server says nothing on this connection; this long is as good as for ever.
constexpr std::chrono::hours kSilence{24};

}  // namespace

/// Shared with the coroutine that holds the connection, which ends a little after the lease is released.
struct HostLease::State {
  State(const asio::any_io_executor& executor, Endpoint to, access::StoreCredential proof)
      : store(std::move(to)), credential(std::move(proof)), pause(executor) {}
  const Endpoint store;
  const access::StoreCredential credential;
  asio::steady_timer pause;
  std::unique_ptr<StoreConnection> connection{};
  bool released = false;
};

HostLease::HostLease(std::shared_ptr<State> state) : state_(std::move(state)) {}

HostLease::~HostLease() {
  state_->released = true;
  state_->pause.cancel();
  if (state_->connection) { state_->connection->close(); }
}

asio::awaitable<std::unique_ptr<HostLease>> HostLease::open(Endpoint store, access::StoreCredential credential,
                                                            std::chrono::milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  const auto state = std::make_shared<State>(executor, std::move(store), std::move(credential));
  TcpStoreClient client = co_await TcpStoreClient::connect(state->store, state->credential, timeout);
  state->connection = client.release();
  asio::co_spawn(executor, hold(state), asio::detached);
  co_return std::unique_ptr<HostLease>(new HostLease(state));
}

asio::awaitable<void> HostLease::hold(std::shared_ptr<State> state) {
  while (!state->released) {
    if (state->connection) {
      try {
        state->connection->begin("holding the door open for this node's workers");
        const auto deadline = state->connection->deadline(kSilence);
        co_await state->connection->wait_for_bytes(1);
      } catch (const StoreConnectionError& error) {
        if (!state->released) { log::info(error.what()); }
      }
      state->connection.reset();
      continue;
    }
    try {
      TcpStoreClient::Attempt attempt =
          co_await TcpStoreClient::try_connect(state->store, state->credential, kDialTimeout);
      if (attempt && !state->released) {
        state->connection = attempt->release();
        continue;
      }
    } catch (const access::StoreAccessError& error) {
      // The next round, which all nodes begin together, says it to the user.
      log::info(error.what());
    }
    if (state->released) { break; }
    state->pause.expires_after(kRedialPause);
    boost::system::error_code cancelled;
    co_await state->pause.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
}

}  // namespace mdl::rendezvous::client

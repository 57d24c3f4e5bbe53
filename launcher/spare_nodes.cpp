#include "launcher/spare_nodes.hpp"

#include "launcher/notifier.hpp"
#include "rendezvous/shared_state.hpp"

namespace mdl::launcher {
namespace {

constexpr std::chrono::milliseconds kRestForSpares{50};

}  // namespace

asio::awaitable<void> wait_for_spares(TcpStoreClient& store, std::string run_id, std::chrono::milliseconds timeout) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  SharedRendezvousState shared(store, run_id);
  asio::steady_timer rest(executor);
  const auto deadline = Notifier::Clock::now() + timeout;
  while (true) {
    co_await shared.read();
    if (shared.value().redundancy_list.empty() || Notifier::Clock::now() >= deadline) co_return;
    rest.expires_after(kRestForSpares);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::launcher

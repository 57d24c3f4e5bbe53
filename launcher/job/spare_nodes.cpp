#include "launcher/job/spare_nodes.hpp"

#include "common/loop/notifier.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::launcher::job {
namespace {

constexpr std::chrono::milliseconds kRestForSpares{50};

}  // namespace

asio::awaitable<void> wait_for_spares(rendezvous::client::TcpStoreClient& store, std::string run_id,
                                      std::chrono::milliseconds timeout) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  rendezvous::c10d::SharedRendezvousState shared(store, run_id);
  asio::steady_timer rest(executor);
  const auto deadline = loop::Notifier::Clock::now() + timeout;
  while (true) {
    co_await shared.read();
    if (shared.value().redundancy_list.empty() || loop::Notifier::Clock::now() >= deadline) { co_return; }
    rest.expires_after(kRestForSpares);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::launcher::job

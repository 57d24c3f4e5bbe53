#include "launcher/job/spare_nodes.hpp"

#include <algorithm>
#include <optional>

#include "common/log.hpp"
#include "common/loop/notifier.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::launcher::job {
namespace {

constexpr std::chrono::milliseconds kRestForSpares{50};

bool is_watched(const std::optional<std::string>& watchers) {
  return watchers && parse_digits<std::int64_t>(*watchers).value_or(0) > 0;
}

}  // namespace

std::string watchers_key(const std::string& run_id) {
  return str_cat("mdl-launch/", run_id, "/watchers");
}

asio::awaitable<bool> count_watcher(rendezvous::client::TcpStoreClient& store, std::string run_id,
                                    std::int64_t change) {
  const std::optional<std::int64_t> watchers = co_await store.add_to_number(watchers_key(run_id), change);
  co_return watchers.has_value();
}

void warn_of_uncounted(const std::string& run_id) {
  log::warning(
      "the key ", watchers_key(run_id), " of the job's store holds what is no number: somebody else has ",
      "written there. The job is shown all the same; only its end may be missed, as the store's host does not ",
      "wait for who watches. Give the job a secret (--rdzv-conf secret_file=PATH) to keep others out");
}

asio::awaitable<void> wait_for_spares(rendezvous::client::TcpStoreClient& store, std::string run_id,
                                      std::chrono::milliseconds timeout) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  rendezvous::c10d::SharedRendezvousState shared(store, run_id);
  asio::steady_timer rest(executor);
  const auto begin = loop::Notifier::Clock::now();
  const auto deadline = begin + timeout;
  const auto watched_until = std::min(deadline, begin + kWatchersTimeout);
  while (true) {
    co_await shared.read();
    const std::optional<std::string> watchers = co_await store.get_now(watchers_key(run_id));
    const bool watched = is_watched(watchers);
    const bool standing_by = !shared.value().redundancy_list.empty();
    const auto now = loop::Notifier::Clock::now();
    if ((!standing_by || now >= deadline) && (!watched || now >= watched_until)) { co_return; }
    rest.expires_after(kRestForSpares);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> wait_for_watchers(const rendezvous::server::TcpStoreServer& store, std::string run_id) {
  const std::string key = watchers_key(run_id);
  const auto deadline = loop::Notifier::Clock::now() + kWatchersTimeout;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer rest(executor);
  while (is_watched(store.get(key)) && loop::Notifier::Clock::now() < deadline) {
    rest.expires_after(kRestForSpares);
    co_await rest.async_wait(asio::use_awaitable);
  }
}

}  // namespace mdl::launcher::job

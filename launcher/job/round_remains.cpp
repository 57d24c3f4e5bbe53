#include "launcher/job/round_remains.hpp"

namespace mdl::launcher::job {
namespace {

// Rounds in a row that break off before their first node could clear up after those before.
constexpr std::int64_t kRoundsToForget = 4;

}  // namespace

asio::awaitable<void> RoundRemains::clear_up(rendezvous::client::TcpStoreClient& store,
                                             rendezvous::c10d::RendezvousRound now) {
  const std::int64_t newest = now.number - 2;
  while (!mastered_.empty() && mastered_.front() <= newest) {
    co_await rendezvous::c10d::forget_master(store, now.run_id, mastered_.front());
    mastered_.pop_front();
  }
  if (now.rank != 0) { co_return; }
  for (std::int64_t number = newest; number >= 0 && number > newest - kRoundsToForget; --number) {
    const std::int64_t agents = co_await board_.enrolled(store, number);
    co_await board_.forget(store, number);  // what asking has left behind, at the least
    if (agents == 0) { continue; }          // nobody was there, or it has been done
    co_await board_.forget_readers(store, number);
    co_await farewell_.forget(store, number);
    co_await rendezvous::c10d::forget_round(store, now.run_id, number, agents, now.nodes);
  }
}

}  // namespace mdl::launcher::job

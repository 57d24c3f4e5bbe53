#include "launcher/job/failure_board.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/str_cat.hpp"
#include "launcher/job/signatures.hpp"

namespace mdl::launcher::job {
namespace {

constexpr std::size_t kLongestFailure = 1024;

std::string agents_key(const std::string& prefix, std::int64_t round) {
  return str_cat(prefix, "round/", round, "/agents");
}
std::string paid_key(const std::string& prefix, std::int64_t round) {
  return str_cat(prefix, "round/", round, "/paid");
}
std::string readers_key(const std::string& prefix, std::int64_t round) {
  return str_cat(prefix, "round/", round, "/readers");
}
std::string all_read_key(const std::string& prefix, std::int64_t round) {
  return str_cat(prefix, "round/", round, "/all_read");
}

}  // namespace

asio::awaitable<void> FailureBoard::enrol(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  co_await store.add(agents_key(prefix_, round), 1);
}

asio::awaitable<std::int64_t> FailureBoard::enrolled(rendezvous::client::TcpStoreClient& store,
                                                     std::int64_t round) const {
  co_return co_await store.add(agents_key(prefix_, round), 0);
}

asio::awaitable<void> FailureBoard::pay_for(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                            std::string failure) const {
  failure.resize(std::min(failure.size(), kLongestFailure));
  co_await store.set(paid_key(prefix_, round), std::move(failure));
}

asio::awaitable<std::optional<std::string>> FailureBoard::paid_failure(rendezvous::client::TcpStoreClient& store,
                                                                       std::int64_t round) const {
  std::optional<std::string> text = co_await store.get_now(paid_key(prefix_, round));
  if (text == "1") { text->clear(); }  // of an agent that does not say why
  if (text) { text->resize(std::min(text->size(), kLongestFailure)); }
  co_return std::move(text);
}

asio::awaitable<EndedRound> FailureBoard::end_of(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                                 std::int64_t nodes) const {
  EndedRound end;
  std::optional<std::string> failure = co_await paid_failure(store, round);
  if (failure) {
    end.why = RoundEnd::failure;
    end.failure = std::move(*failure);
    co_return end;
  }
  const std::int64_t ours = co_await enrolled(store, round);
  end.why = ours < nodes ? RoundEnd::unknown : RoundEnd::membership;
  co_return end;
}

asio::awaitable<void> FailureBoard::forget(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  co_await store.delete_key(agents_key(prefix_, round));
  co_await store.delete_key(paid_key(prefix_, round));
}

asio::awaitable<void> FailureBoard::forget_readers(rendezvous::client::TcpStoreClient& store,
                                                   std::int64_t round) const {
  co_await store.delete_key(readers_key(prefix_, round));
  co_await store.delete_key(all_read_key(prefix_, round));
}

asio::awaitable<void> FailureBoard::post(rendezvous::client::TcpStoreClient& store, report::RootCause cause) const {
  const std::string key = cause_key();
  const std::string mine = report::to_json(cause);
  std::string there;  // compare_set of an empty value sets a key that is not there
  while (true) {
    std::string now = co_await store.compare_set(key, there, mine);
    if (now == mine) { break; }
    const auto other = report::root_cause_from_json(now);
    if (other && !report::came_before(cause, *other)) { co_return; }
    // What was expected comes back also when nothing is there: the store has begun anew.
    const bool gone = now == there;
    there = gone ? std::string() : std::move(now);
  }
  co_await store.set(end_key(), kFailed);
}

asio::awaitable<void> FailureBoard::post_success(rendezvous::client::TcpStoreClient& store) const {
  co_await store.set(end_key(), kSucceeded);
}

asio::awaitable<std::optional<report::RootCause>> FailureBoard::read(rendezvous::client::TcpStoreClient& store) const {
  const std::optional<std::string> text = co_await store.get_now(cause_key());
  if (!text) { co_return std::nullopt; }
  co_return report::root_cause_from_json(*text);
}

asio::awaitable<void> FailureBoard::sign(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  const std::int64_t agents = co_await enrolled(store, round);
  Signatures list{readers_key(prefix_, round), all_read_key(prefix_, round)};
  co_await job::sign(store, std::move(list), agents);
}

asio::awaitable<bool> FailureBoard::wait_for_signatures(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                                        std::chrono::milliseconds timeout) const {
  Signatures list{readers_key(prefix_, round), all_read_key(prefix_, round)};
  co_return co_await wait_for_all(store, std::move(list), timeout);
}

}  // namespace mdl::launcher::job

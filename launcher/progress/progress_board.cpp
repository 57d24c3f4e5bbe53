#include "launcher/progress/progress_board.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::progress {
namespace {

// The keys were there a moment ago; a store that lost them since is asked again by whoever wants to know.
constexpr rendezvous::client::TcpStoreClient::Milliseconds kReadTimeout{1000};
// Values may have 8 MiB, whoever has written them.
constexpr std::size_t kKeysAtOnce = 32;
constexpr std::size_t kMostKinds = 32;  // of events, of which there are fewer
constexpr std::size_t kLongestKindName = 32;

void take(ProgressBoard::View& view, const std::string& value, bool is_event) {
  if (is_event) {
    if (auto event = job_event_from_text(value)) { view.events.push_back(std::move(*event)); }
  } else if (auto summary = node_summary_from_text(value)) {
    const std::int64_t rank = summary->group_rank;
    view.nodes.insert_or_assign(rank, std::move(*summary));
  }
}

}  // namespace

asio::awaitable<void> ProgressBoard::post(rendezvous::client::TcpStoreClient& store, NodeSummary summary) const {
  std::string key = str_cat(prefix_, "progress/", summary.group_rank);
  std::string value = to_text(summary);
  co_await store.set(std::move(key), std::move(value));
}

asio::awaitable<bool> ProgressBoard::post(rendezvous::client::TcpStoreClient& store, JobEvent& event) const {
  if (event.number > 0) {
    const std::optional<std::int64_t> last = co_await store.add_to_number(count_key(), 0);
    // Where others have come since in so great a number, its place is a newer one's.
    if (!last || *last < event.number || *last - kEvents >= event.number) { event.number = 0; }
  }
  if (event.number <= 0) {
    const std::optional<std::int64_t> number = co_await store.add_to_number(count_key(), 1);
    if (!number || *number <= 0) { co_return false; }
    event.number = *number;
  }
  std::string key = str_cat(prefix_, "events/at/", event.number % kEvents);
  std::string value = to_text(event);
  co_await store.set(std::move(key), std::move(value));
  // Last, for it has an answer: then the store has that as well.
  co_await store.add_to_number(kinds_prefix() + event.kind, 1);
  co_return true;
}

std::vector<std::string> ProgressBoard::kinds_in(const std::vector<std::string>& keys) const {
  const std::string prefix = kinds_prefix();
  std::vector<std::string> kinds;
  for (auto key = std::lower_bound(keys.begin(), keys.end(), prefix);
       key != keys.end() && key->starts_with(prefix) && kinds.size() < kMostKinds; ++key) {
    kinds.push_back(*key);
  }
  return kinds;
}

asio::awaitable<std::optional<NodeSummary>> ProgressBoard::read_node(rendezvous::client::TcpStoreClient& store,
                                                                     std::int64_t node) const {
  std::string key = str_cat(prefix_, "progress/", node);
  const std::optional<std::string> text = co_await store.get_now(std::move(key));
  co_return text ? node_summary_from_text(*text) : std::nullopt;
}

asio::awaitable<ProgressBoard::View> ProgressBoard::read(rendezvous::client::TcpStoreClient& store,
                                                         const std::vector<std::string>& keys, std::int64_t nodes,
                                                         bool wants_events) const {
  std::vector<std::string> wanted;
  const auto want = [&](std::string key) {
    if (std::binary_search(keys.begin(), keys.end(), key)) { wanted.push_back(std::move(key)); }
  };
  for (std::int64_t slot = 0; wants_events && slot < kEvents; ++slot) { want(str_cat(prefix_, "events/at/", slot)); }
  const std::size_t events = wanted.size();
  for (std::int64_t node = 0; node < nodes; ++node) { want(str_cat(prefix_, "progress/", node)); }
  View view;
  for (std::size_t begin = 0; begin < wanted.size(); begin += kKeysAtOnce) {
    const std::size_t end = std::min(begin + kKeysAtOnce, wanted.size());
    std::vector<std::string> part(wanted.begin() + static_cast<std::ptrdiff_t>(begin),
                                  wanted.begin() + static_cast<std::ptrdiff_t>(end));
    const auto values = co_await store.multi_get(std::move(part), kReadTimeout);
    if (!values) { break; }
    for (std::size_t i = begin; i < end; ++i) { take(view, (*values)[i - begin], i < events); }
  }
  const std::vector<std::string> kinds = kinds_in(keys);
  for (const std::string& key : kinds) {
    const std::optional<std::string> count = co_await store.get_now(key);
    const auto number = count ? parse_digits<std::int64_t>(*count) : std::nullopt;
    const std::string kind = output::printable(key.substr(kinds_prefix().size()), kLongestKindName);
    if (number && !kind.empty()) { view.event_counts[kind] = *number; }
  }
  std::sort(view.events.begin(), view.events.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  co_return view;
}

}  // namespace mdl::launcher::progress

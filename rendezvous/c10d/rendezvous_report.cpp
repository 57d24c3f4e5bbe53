#include "rendezvous/c10d/rendezvous_report.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::rendezvous::c10d {
namespace {

std::optional<Endpoint> parse_master(const std::optional<std::string>& addr, const std::optional<std::string>& port) {
  if (!addr || !port) { return std::nullopt; }
  std::uint16_t number = 0;
  const char* const end = port->data() + port->size();
  const auto [parsed, error] = std::from_chars(port->data(), end, number);
  if (error != std::errc() || parsed != end) { return std::nullopt; }
  return Endpoint(*addr, number);
}

}  // namespace

std::vector<std::string> rendezvous_ids(const std::vector<std::string>& keys) {
  std::vector<std::string> ids;
  for (const std::string& key : keys) {
    // The state's own key; those of a round go on with ".NUMBER/…".
    if (!key.starts_with(kStateKeyPrefix)) { continue; }
    const std::string id = key.substr(kStateKeyPrefix.size());
    const std::size_t slash = id.find('/');
    const std::size_t dot = id.rfind('.', slash);
    const bool of_a_round =
        slash != std::string::npos && dot != std::string::npos && dot + 1 < slash &&
        std::all_of(id.begin() + static_cast<std::ptrdiff_t>(dot) + 1, id.begin() + static_cast<std::ptrdiff_t>(slash),
                    [](char c) { return c >= '0' && c <= '9'; });
    if (!of_a_round) { ids.push_back(id); }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

asio::awaitable<RendezvousReport> read_rendezvous(Endpoint endpoint, access::StoreCredential credential,
                                                  std::string run_id, std::chrono::milliseconds timeout) {
  client::TcpStoreClient store =
      co_await client::TcpStoreClient::connect(std::move(endpoint), std::move(credential), timeout);
  co_return co_await read_rendezvous(store, std::move(run_id));
}

asio::awaitable<RendezvousReport> read_rendezvous(client::TcpStoreClient& store, std::string run_id) {
  RendezvousReport report;
  const std::optional<std::string> stored = co_await store.get_now(state_key(run_id));
  if (stored) {
    report.state = decode_rendezvous_state(*stored);
    const std::string prefix = round_prefix(run_id, report.state->round);
    const auto addr = co_await store.get_now(prefix + "MASTER_ADDR");
    const auto port = co_await store.get_now(prefix + "MASTER_PORT");
    report.master = parse_master(addr, port);
  }
  report.keys = co_await store.list_keys();
  for (std::string& id : rendezvous_ids(report.keys)) {
    if (id != run_id) { report.other_jobs.push_back(std::move(id)); }
  }
  co_return report;
}

}  // namespace mdl::rendezvous::c10d

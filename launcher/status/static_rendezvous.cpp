#include "launcher/status/static_rendezvous.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "launcher/job/static_keys.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::client::TcpStoreClient;

constexpr TcpStoreClient::Milliseconds kRolesTimeout{1000};  // of keys that were there a moment ago
constexpr std::int64_t kMostStaticNodes = 100'000;
constexpr std::size_t kRolesAtOnce = 256;
constexpr std::string_view kC10dPrefix = "torch.rendezvous.";

bool is_there(const std::vector<std::string>& keys, const std::string& key) {
  return std::binary_search(keys.begin(), keys.end(), key);
}

/// The nodes that have a key `prefix`NUMBER.
std::vector<std::int64_t> nodes_with(const std::vector<std::string>& keys, const std::string& prefix) {
  std::vector<std::int64_t> nodes;
  for (auto key = std::lower_bound(keys.begin(), keys.end(), prefix); key != keys.end() && key->starts_with(prefix);
       ++key) {
    const auto node = parse_digits<std::int64_t>(std::string_view(*key).substr(prefix.size()));
    if (node && *node < kMostStaticNodes) { nodes.push_back(*node); }
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

asio::awaitable<void> read_roles(StaticRendezvous& found, TcpStoreClient& store, std::vector<std::string> keys) {
  for (std::size_t begin = 0; begin < keys.size(); begin += kRolesAtOnce) {
    const std::size_t end = std::min(begin + kRolesAtOnce, keys.size());
    std::vector<std::string> part(keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                  keys.begin() + static_cast<std::ptrdiff_t>(end));
    const auto texts = co_await store.multi_get(std::move(part), kRolesTimeout);
    if (!texts) { co_return; }
    for (const std::string& text : *texts) {
      try {
        found.workers.push_back(rendezvous::c10d::role_info_from_json(text));
      } catch (const Error&) {
        // Not worth an error: the rest of the report is sound.
      }
    }
  }
}

/// Those that are not among `there`, up to the last one that is known to be wanted.
std::vector<std::int64_t> missing_nodes(const std::vector<std::int64_t>& there, std::optional<std::int64_t> nodes) {
  const std::int64_t end = nodes.value_or(there.empty() ? 0 : there.back() + 1);
  std::vector<std::int64_t> missing;
  for (std::int64_t node = 0; node < end && missing.size() < kMostMissing; ++node) {
    if (!std::binary_search(there.begin(), there.end(), node)) { missing.push_back(node); }
  }
  return missing;
}

asio::awaitable<std::optional<std::int64_t>> read_count(TcpStoreClient& store, const std::vector<std::string>& keys,
                                                        std::string key) {
  if (!is_there(keys, key)) { co_return std::nullopt; }
  const std::optional<std::string> number = co_await store.get_now(std::move(key));
  const auto count = number ? parse_digits<std::int64_t>(*number) : std::nullopt;
  co_return count && *count <= kMostStaticNodes ? count : std::nullopt;
}

}  // namespace

asio::awaitable<std::optional<StaticRendezvous>> read_static_rendezvous(TcpStoreClient& store, std::string run_id,
                                                                        const std::vector<std::string>& keys) {
  const job::StaticKeys names(run_id);
  StaticRendezvous found;
  if (is_there(keys, names.round())) {
    const std::optional<std::string> number = co_await store.get_now(names.round());
    found.state.round = number ? parse_digits<std::int64_t>(*number).value_or(0) : 0;
  }
  const std::string roles = names.of_round(found.state.round) + "role_info/";
  const std::vector<std::int64_t> nodes = nodes_with(keys, roles);
  // Between two rounds nobody has come yet.
  if (nodes.empty() && found.state.round == 0) { co_return std::nullopt; }
  std::vector<std::string> wanted;
  for (const std::int64_t node : nodes) {
    wanted.push_back(roles + std::to_string(node));
    rendezvous::c10d::NodeDesc unknown;
    unknown.local_id = node;
    found.state.participants.emplace(std::move(unknown), node);
  }
  found.state.complete = is_there(keys, names.assigned_ranks(found.state.round, 0));
  co_await read_roles(found, store, std::move(wanted));
  found.nodes = co_await read_count(store, keys, names.nodes());
  if (!found.state.complete) { found.missing = missing_nodes(nodes, found.nodes); }
  co_return found;
}

std::vector<std::string> static_ids(const std::vector<std::string>& keys) {
  constexpr std::string_view kMark = "/torchelastic/role_info/";
  std::vector<std::string> ids;
  for (const std::string& key : keys) {
    const std::size_t mark = key.find(kMark);
    if (mark == std::string::npos || mark == 0 || key.starts_with(kC10dPrefix)) { continue; }
    if (parse_digits<std::int64_t>(std::string_view(key).substr(mark + kMark.size()))) {
      ids.push_back(key.substr(0, mark));
    }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace mdl::launcher::status

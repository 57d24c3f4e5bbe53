#include "rendezvous/c10d/round_keys.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "common/str_cat.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

milliseconds remaining(Clock::time_point deadline) {
  return std::max(milliseconds::zero(), std::chrono::ceil<milliseconds>(deadline - Clock::now()));
}

[[noreturn]] void time_out(const RendezvousRound& round, const std::string& what) {
  throw RendezvousError(RendezvousError::Reason::timed_out,
                        str_cat("round ", round.number, " of the rendezvous \"", round.run_id, "\": ", what));
}

constexpr std::string_view kMasterAddr = "MASTER_ADDR";
constexpr std::string_view kMasterPort = "MASTER_PORT";
constexpr std::string_view kRoleInfo = "torchelastic/role_info/";
constexpr std::string_view kAssignedRanks = "torchelastic/assigned_ranks/";

std::string master_addr_key(const RendezvousRound& round, std::int64_t number) {
  return str_cat(round_prefix(round.run_id, number), kMasterAddr);
}
std::string master_port_key(const RendezvousRound& round, std::int64_t number) {
  return str_cat(round_prefix(round.run_id, number), kMasterPort);
}

std::uint16_t parse_port(const RendezvousRound& round, const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(str_cat("round ", round.number, " of the rendezvous \"", round.run_id, "\": MASTER_PORT is \"", text,
                        "\", not a port"));
  }
  return port;
}

/// What round `number` says, if it says anything.
asio::awaitable<std::optional<Endpoint>> published_master(client::TcpStoreClient& store, RendezvousRound round,
                                                          std::int64_t number) {
  const auto addr = co_await store.get_now(master_addr_key(round, number));
  if (!addr) { co_return std::nullopt; }
  const auto port = co_await store.get_now(master_port_key(round, number));
  if (!port) { co_return std::nullopt; }
  co_return Endpoint(*addr, parse_port(round, *port));
}

/// What the last earlier round with the same first address says, if there is one.
asio::awaitable<std::optional<Endpoint>> earlier_master(client::TcpStoreClient& store, RendezvousRound round) {
  for (std::int64_t number = round.number - 1; number >= 0; --number) {
    const std::optional<Endpoint> master = co_await published_master(store, round, number);
    if (master && master->host == round.first_addr) { co_return master; }
  }
  co_return std::nullopt;
}

std::string exit_barrier_prefix(const RendezvousRound& round) {
  return round_prefix(round.run_id, round.number) + "torchelastic/agent/terminal_state/";
}

}  // namespace

asio::awaitable<Endpoint> share_master(client::TcpStoreClient& store, RendezvousRound round,
                                       std::optional<Endpoint> own, milliseconds timeout) {
  if (round.rank == 0 && own) {
    co_await store.set(master_addr_key(round, round.number), own->host);
    co_await store.set(master_port_key(round, round.number), std::to_string(own->port));
    co_return std::move(*own);
  }
  const auto deadline = Clock::now() + timeout;
  std::vector<std::string> keys;
  keys.push_back(master_addr_key(round, round.number));
  keys.push_back(master_port_key(round, round.number));
  do {
    const auto values = co_await store.multi_get(keys, std::min(kMasterGrace, remaining(deadline)));
    std::optional<Endpoint> master;
    if (values) {
      master.emplace(values->front(), parse_port(round, values->back()));
    } else {
      master = co_await earlier_master(store, round);
    }
    if (master) { co_return std::move(*master); }
  } while (Clock::now() < deadline);
  time_out(round, str_cat("the first node (", round.first_addr, ") has not published MASTER_ADDR and MASTER_PORT"));
}

asio::awaitable<AssignedRanks> share_ranks(client::TcpStoreClient& store, RendezvousRound round, RoleInfo info,
                                           milliseconds timeout) {
  const std::string info_prefix = str_cat(round_prefix(round.run_id, round.number), kRoleInfo);
  const std::string ranks_prefix = str_cat(round_prefix(round.run_id, round.number), kAssignedRanks);
  const auto deadline = Clock::now() + timeout;
  co_await store.set(info_prefix + std::to_string(round.rank), to_json(info));

  if (round.rank == 0) {
    std::vector<std::string> keys;
    for (std::int64_t i = 0; i < round.nodes; ++i) { keys.push_back(info_prefix + std::to_string(i)); }
    const auto infos = co_await store.multi_get(keys, timeout);
    if (!infos) { time_out(round, "not every node has told the number of its workers"); }
    std::vector<RoleInfo> nodes;
    for (const std::string& text : *infos) { nodes.push_back(role_info_from_json(text)); }
    const std::vector<AssignedRanks> assigned = assign_ranks(nodes);
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t i = 0; i < assigned.size(); ++i) {
      pairs.emplace_back(ranks_prefix + std::to_string(i), to_json(assigned[i]));
    }
    co_await store.multi_set(std::move(pairs));
  }
  const auto mine = co_await store.get(ranks_prefix + std::to_string(round.rank), remaining(deadline));
  if (!mine) { time_out(round, str_cat("the first node (", round.first_addr, ") has not assigned the ranks")); }
  co_return assigned_ranks_from_json(*mine);
}

asio::awaitable<void> forget_round(client::TcpStoreClient& store, std::string run_id, std::int64_t number,
                                   std::int64_t agents, std::int64_t nodes) {
  const std::string prefix = round_prefix(run_id, number);
  std::int64_t ranks = 0;
  for (std::int64_t rank = 0;; ++rank) {
    const bool told = co_await store.delete_key(str_cat(prefix, kRoleInfo, rank));
    const bool assigned = co_await store.delete_key(str_cat(prefix, kAssignedRanks, rank));
    if (assigned) { ++ranks; }
    // A node that was lost before it told anything leaves a gap.
    if (rank >= nodes && !told && !assigned) { break; }
  }
  // The ranks are there when all nodes have told, and ours have enrolled before. So nobody was torch's.
  if (ranks == agents) { co_await forget_master(store, run_id, number); }
}

asio::awaitable<void> forget_master(client::TcpStoreClient& store, std::string run_id, std::int64_t number) {
  co_await store.delete_key(str_cat(round_prefix(run_id, number), kMasterAddr));
  co_await store.delete_key(str_cat(round_prefix(run_id, number), kMasterPort));
}

asio::awaitable<std::int64_t> arrived_at_exit_barrier(client::TcpStoreClient& store, RendezvousRound round) {
  const std::string members = exit_barrier_prefix(round) + "num_members";
  const std::optional<std::string> count = co_await store.get_now(members);
  if (!count) { co_return 0; }
  co_return co_await store.add(members, 0);
}

asio::awaitable<bool> exit_barrier(client::TcpStoreClient& store, RendezvousRound round, milliseconds timeout) {
  const std::string prefix = exit_barrier_prefix(round);
  std::vector<std::string> last;
  last.push_back(prefix + "last_member");
  const std::int64_t count = co_await store.add(prefix + "num_members", 1);
  if (count == round.nodes) { co_await store.set(last.front(), "1"); }
  co_return co_await store.wait(last, timeout);
}

}  // namespace mdl::rendezvous::c10d

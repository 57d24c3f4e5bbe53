#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_summary.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::progress {

/// Where the agents of a job tell how it goes: keys below "mdl-launch/JOB/" in the store of the rendezvous, ours or
/// torch's, which torch's agents never look at. One for each node, a ring of the last events, and how many of each kind
/// there were: so the store does not grow, however long the job runs. Everything may throw StoreConnectionError.
class ProgressBoard {
 public:
  /// Events that are kept.
  static constexpr std::int64_t kEvents = 32;

  explicit ProgressBoard(const std::string& run_id) : prefix_("mdl-launch/" + run_id + "/") {}

  /// In place of what the node with the same rank has posted before.
  asio::awaitable<void> post(rendezvous::client::TcpStoreClient& store, NodeSummary summary) const;
  /// As the next one of the job; its number is put into `event`, which must live until then. What was thrown may have
  /// come before or after that: one that has a number is put where it was to be, unless this is another store by now,
  /// or its place is that of a newer event. So after any number of attempts it is there once (its kind may be counted
  /// more often). False where others have put something else in the place of the events' number, also one that is too
  /// large to count on from: then there can be none.
  asio::awaitable<bool> post(rendezvous::client::TcpStoreClient& store, JobEvent& event) const;
  std::string count_key() const { return prefix_ + "events/count"; }

  /// What is there, as far as it can be read.
  struct View {
    std::map<std::int64_t, NodeSummary> nodes{};  ///< of any round, by their rank in it
    std::vector<JobEvent> events{};               ///< the oldest first
    /// How many of each kind there have been, also of those that are not kept.
    std::map<std::string, std::int64_t> event_counts{};
  };
  /// Of `nodes` nodes; `keys` are all of the store, sorted. Without the events if they are not wanted.
  asio::awaitable<View> read(rendezvous::client::TcpStoreClient& store, const std::vector<std::string>& keys,
                             std::int64_t nodes, bool wants_events = true) const;

  /// What one node has told, of any round.
  asio::awaitable<std::optional<NodeSummary>> read_node(rendezvous::client::TcpStoreClient& store,
                                                        std::int64_t node) const;

 private:
  std::string kinds_prefix() const { return prefix_ + "events/of/"; }
  /// Those of the events that have come so far.
  std::vector<std::string> kinds_in(const std::vector<std::string>& keys) const;

  std::string prefix_;
};

}  // namespace mdl::launcher::progress

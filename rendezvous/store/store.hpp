#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rendezvous/store/store_reply.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::store {

/// Why a client must be closed, to follow "the client": "sends …"; nothing while it behaves.
using Complaint = std::optional<std::string>;

/// Joins what torch's clients do to keys: a user's key "a" is stored, and waited for, as "/a".
std::string stored_key(std::string_view user_key);

/// The process that hosts the store, among its clients.
inline constexpr ClientId kOwnClient = 0;

/// What a TCPStore holds, and who waits for what in it. No sockets, no clock: a query goes in, replies come out.
///
/// What it holds is limited: the bytes of keys, values, queues and of the keys that clients wait for, with kEntryBytes
/// for each of them. A query that would exceed the limit changes nothing and gets its client closed, which is all that
/// the protocol knows of refusal; only kOwnClient is not limited.
///
/// As torch's libuv server does it, also where that may surprise:
/// - GET of a missing key answers with an empty value (clients WAIT first).
/// - COMPARE_SET of a missing key sets it only when `expected` is empty, and else answers with `expected`.
/// - BARRIER counts in a key of the store and never starts over: once the count is reached, later ones pass at once.
/// SET,
///   ADD or APPEND on that key releases those who wait there.
/// - ADD and BARRIER read the leading digits of the value; a value without any is an error.
/// - DELETE_KEY, GETNUMKEYS and LIST_KEYS are about plain keys, CHECK and WAIT also about queues that hold something.
/// Unlike it, a WAIT for a key that a BARRIER creates is answered, and QUEUE_PUSH never counts one client twice.
class StoreState {
 public:
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
  /// About what the maps need for an entry.
  static constexpr std::size_t kEntryBytes = 128;
  explicit StoreState(std::size_t most_bytes = kNoLimit) : most_bytes_(most_bytes) {}

  /// Carries out one query of client `from` and appends what must be sent, in order, to `replies`. A client waits for
  /// one thing at a time: a second WAIT or BARRIER takes the place of the first. Returns why the client must be closed,
  /// nothing when all is well.
  Complaint apply(ClientId from, wire::Query query, std::vector<StoreReply>& replies);

  /// The client has gone: it waits for nothing any more.
  void forget(ClientId client);

  /// The value of a stored key, null when there is none.
  StoreValue find(std::string_view key) const;
  /// Whether a plain key or a filled queue of this name is there.
  bool contains(std::string_view key) const;
  /// All plain keys, sorted.
  std::vector<std::string> keys() const;
  /// What counts against the limit.
  std::size_t held_bytes() const { return held_; }
  /// The bytes of values that are no longer in the store, or never were, and live on in replies.
  std::size_t bytes_in_replies() const { return *alive_ - stored_values_; }
  /// How many clients wait at this moment.
  std::size_t waiting_count() const { return waits_.size(); }
  /// Calls `use` with each client that waits, and the stored keys that it waits for (one that has appeared meanwhile is
  /// among them as long as others are missing), in no order, until that returns false.
  void for_each_wait(const std::function<bool(ClientId, const std::vector<std::string>&)>& use) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <typename Mapped>
  using Map = std::unordered_map<std::string, Mapped, Hash, std::equal_to<>>;
  using Replies = std::vector<StoreReply>;
  using Stored = std::shared_ptr<std::string>;  // changed in place only while nothing else holds it

  struct Waiter {
    ClientId client;
    bool at_barrier;
  };
  struct Wait {
    std::vector<std::string> keys;  // where this client stands in waiters_
    std::size_t missing;            // how many of them have not appeared
  };

  Stored make_value(std::string bytes) const;
  bool fits(ClientId from, std::size_t more) const;
  std::string too_full(const std::string& key) const;
  Complaint do_set(ClientId from, wire::Query& query, Replies& replies);
  Complaint do_queue_push(ClientId from, wire::Query& query, Replies& replies);
  StoreReply answer(ClientId from, const wire::Query& query);
  StoreValue list_keys();
  void erase(Map<Stored>::iterator entry);

  const std::string& store(std::string key, Stored value);
  void put(std::string key, Stored value, Replies& replies);
  void wake_all(const std::string& key, Replies& replies);
  void wake_waits(const std::string& key, Replies& replies);
  void wake_one(const std::string& key, Replies& replies);
  bool satisfied(ClientId client, Replies& replies);
  void wait_for(ClientId client, std::vector<std::string> keys, bool at_barrier);

  Complaint do_append(ClientId from, wire::Query& query, Replies& replies);
  Complaint do_compare_set(ClientId from, wire::Query& query, Replies& replies);
  Complaint do_add(ClientId from, wire::Query& query, Replies& replies);
  Complaint do_barrier(ClientId from, wire::Query& query, Replies& replies);
  Complaint do_wait(ClientId from, wire::Query& query, Replies& replies);
  void do_delete_key(ClientId from, const wire::Query& query, Replies& replies);
  void do_queue_pop(ClientId from, const wire::Query& query, Replies& replies);

  const std::size_t most_bytes_;
  std::size_t held_ = 0;
  std::size_t stored_values_ = 0;                                          // bytes of values and queue items
  std::shared_ptr<std::size_t> alive_ = std::make_shared<std::size_t>(0);  // bytes of all values made here
  std::weak_ptr<const std::string> list_{};  // the answer to LIST_KEYS, as long as it is true and somebody holds it
  Map<Stored> values_;
  Map<std::deque<Stored>> queues_;    // never an empty one
  Map<std::vector<Waiter>> waiters_;  // never an empty one
  std::unordered_map<ClientId, Wait> waits_;
};

}  // namespace mdl::rendezvous::store

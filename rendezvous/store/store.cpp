#include "rendezvous/store/store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "common/str_cat.hpp"

namespace mdl::rendezvous::store {
namespace {

using wire::Query;
using wire::QueryType;

/// A value that is counted for as long as anybody holds it.
struct Counted {
  Counted(std::string bytes, std::shared_ptr<std::size_t> count) : text(std::move(bytes)), alive(std::move(count)) {
    *alive += text.size();
  }
  ~Counted() { *alive -= text.size(); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  std::string text;
  std::shared_ptr<std::size_t> alive;
};

std::size_t cost_of_wait(const std::vector<std::string>& keys) {
  std::size_t cost = StoreState::kEntryBytes;
  // Each stands with the client and in the table of those who wait.
  for (const std::string& key : keys) { cost += 2 * (key.size() + StoreState::kEntryBytes); }
  return cost;
}

/// The number that a value begins with, as std::stoll reads it; 0 without a value, nullopt where std::stoll throws.
std::optional<std::int64_t> leading_number(const StoreValue& value) {
  if (!value) { return 0; }
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(value->c_str(), &end, 10);
  if (end == value->c_str() || errno == ERANGE) { return std::nullopt; }
  return number;
}

/// Wraps around instead of being undefined at the ends of the range.
std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::string not_a_number(const char* operation, const std::string& key) {
  return str_cat("sends ", operation, " for key \"", key, "\", whose value is not a number");
}

}  // namespace

std::string stored_key(std::string_view user_key) {
  return str_cat("/", user_key);
}

Complaint StoreState::apply(ClientId from, Query query, Replies& replies) {
  switch (query.type) {
    case QueryType::ping:
    case QueryType::get:
    case QueryType::check:
    case QueryType::get_num_keys:
    case QueryType::queue_len:
    case QueryType::list_keys:
      replies.push_back(answer(from, query));
      break;
    case QueryType::set:
      return do_set(from, query, replies);
    case QueryType::append:
      return do_append(from, query, replies);
    case QueryType::compare_set:
      return do_compare_set(from, query, replies);
    case QueryType::add:
      return do_add(from, query, replies);
    case QueryType::barrier:
      return do_barrier(from, query, replies);
    case QueryType::wait:
      return do_wait(from, query, replies);
    case QueryType::cancel_wait:
      forget(from);
      replies.push_back(wait_reply(from, wire::WaitReply::wait_canceled));
      break;
    case QueryType::delete_key:
      do_delete_key(from, query, replies);
      break;
    case QueryType::queue_push:
      return do_queue_push(from, query, replies);
    case QueryType::queue_pop:
      do_queue_pop(from, query, replies);
      break;
    case QueryType::validate:
    case QueryType::multi_get:
    case QueryType::multi_set:
      return "sends a query that the decoder should have resolved";
  }
  return std::nullopt;
}

/// To a query that changes nothing and waits for nothing.
StoreReply StoreState::answer(ClientId from, const Query& query) {
  if (query.type == QueryType::get) { return value_reply(from, find(query.key)); }
  if (query.type == QueryType::check) {
    const bool all = std::all_of(query.keys.begin(), query.keys.end(), [&](const auto& key) { return contains(key); });
    return check_reply(from, all ? wire::CheckReply::ready : wire::CheckReply::not_ready);
  }
  if (query.type == QueryType::ping) {
    StoreReply nonce{from, {}};
    wire::append_u32(nonce.head, static_cast<std::uint32_t>(query.number));
    return nonce;
  }
  if (query.type == QueryType::queue_len) {
    const auto queue = queues_.find(query.key);
    return number_reply(from, queue == queues_.end() ? 0 : static_cast<std::int64_t>(queue->second.size()));
  }
  StoreReply count = number_reply(from, static_cast<std::int64_t>(values_.size()));
  if (query.type == QueryType::list_keys) { count.value = list_keys(); }
  return count;
}

void StoreState::for_each_wait(const std::function<bool(ClientId, const std::vector<std::string>&)>& use) const {
  for (const auto& [client, wait] : waits_) {
    if (!use(client, wait.keys)) { return; }
  }
}

void StoreState::forget(ClientId client) {
  const auto wait = waits_.find(client);
  if (wait == waits_.end()) { return; }
  held_ -= cost_of_wait(wait->second.keys);
  for (const std::string& key : wait->second.keys) {
    const auto waiters = waiters_.find(key);
    if (waiters == waiters_.end()) { continue; }
    std::erase_if(waiters->second, [&](const Waiter& waiter) { return waiter.client == client; });
    if (waiters->second.empty()) { waiters_.erase(waiters); }
  }
  waits_.erase(wait);
}

StoreValue StoreState::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : found->second;
}

bool StoreState::contains(std::string_view key) const {
  return values_.contains(key) || queues_.contains(key);
}

std::vector<std::string> StoreState::keys() const {
  std::vector<std::string> result;
  result.reserve(values_.size());
  for (const auto& [key, value] : values_) { result.push_back(key); }
  std::sort(result.begin(), result.end());
  return result;
}

StoreState::Stored StoreState::make_value(std::string bytes) const {
  const auto counted = std::make_shared<Counted>(std::move(bytes), alive_);
  return {counted, &counted->text};
}

bool StoreState::fits(ClientId from, std::size_t more) const {
  return from == kOwnClient || (more <= most_bytes_ && held_ <= most_bytes_ - more);
}

std::string StoreState::too_full(const std::string& key) const {
  constexpr std::size_t kShown = 200;
  return str_cat("wants the store to hold more than ", most_bytes_, " bytes (it holds ", held_, "), with key \"",
                 key.substr(0, kShown), "\"");
}

/// Shared by all who ask for it while nothing changes: it may be long, and they may be many.
StoreValue StoreState::list_keys() {
  if (StoreValue list = list_.lock()) { return list; }
  std::string bytes;
  for (const auto& [key, value] : values_) { wire::append_string(bytes, key); }
  if (bytes.empty()) { return nullptr; }
  StoreValue list = make_value(std::move(bytes));
  list_ = list;
  return list;
}

void StoreState::erase(Map<Stored>::iterator entry) {
  list_.reset();
  stored_values_ -= entry->second->size();
  held_ -= entry->first.size() + entry->second->size() + kEntryBytes;
  values_.erase(entry);
}

const std::string& StoreState::store(std::string key, Stored value) {
  const std::size_t size = value->size();
  const auto [entry, is_new] = values_.try_emplace(std::move(key));
  if (is_new) {
    list_.reset();
    held_ += entry->first.size() + kEntryBytes;
  } else {
    stored_values_ -= entry->second->size();
    held_ -= entry->second->size();
  }
  entry->second = std::move(value);
  stored_values_ += size;
  held_ += size;
  return entry->first;
}

void StoreState::put(std::string key, Stored value, Replies& replies) {
  wake_all(store(std::move(key), std::move(value)), replies);
}

Complaint StoreState::do_set(ClientId from, Query& query, Replies& replies) {
  const StoreValue old = find(query.key);
  const std::size_t before = old ? old->size() + query.key.size() + kEntryBytes : 0;
  const std::size_t after = query.value.size() + query.key.size() + kEntryBytes;
  if (after > before && !fits(from, after - before)) { return too_full(query.key); }
  put(std::move(query.key), make_value(std::move(query.value)), replies);
  return std::nullopt;
}

Complaint StoreState::do_queue_push(ClientId from, Query& query, Replies& replies) {
  const std::size_t cost = query.value.size() + query.key.size() + kEntryBytes;
  if (!fits(from, cost)) { return too_full(query.key); }
  held_ += cost;
  stored_values_ += query.value.size();
  queues_[query.key].push_back(make_value(std::move(query.value)));
  wake_one(query.key, replies);
  return std::nullopt;
}

/// Everyone who waits at `key`, for the key itself or at a barrier.
void StoreState::wake_all(const std::string& key, Replies& replies) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) { return; }
  const std::vector<Waiter> woken = std::move(found->second);
  waiters_.erase(found);
  for (const Waiter& waiter : woken) { satisfied(waiter.client, replies); }
}

/// Those who wait for the key itself; a barrier that is not complete keeps its clients.
void StoreState::wake_waits(const std::string& key, Replies& replies) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) { return; }
  std::vector<Waiter> woken = std::move(found->second);
  std::vector<Waiter> kept;
  for (const Waiter& waiter : woken) {
    if (waiter.at_barrier) {
      kept.push_back(waiter);
    } else {
      satisfied(waiter.client, replies);
    }
  }
  if (kept.empty()) {
    waiters_.erase(found);
  } else {
    found->second = std::move(kept);
  }
}

/// One item in a queue is for one client: the one that has waited longest of those for which `key` was the last thing
/// missing. Clients that also wait for other keys note that this one is there.
void StoreState::wake_one(const std::string& key, Replies& replies) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) { return; }
  auto& waiters = found->second;
  bool done = false;
  for (auto waiter = waiters.begin(); waiter != waiters.end() && !done; waiter = waiters.erase(waiter)) {
    done = satisfied(waiter->client, replies);
  }
  if (waiters.empty()) { waiters_.erase(found); }
}

/// One of the keys of a waiting client has appeared. True when it was the last.
bool StoreState::satisfied(ClientId client, Replies& replies) {
  const auto wait = waits_.find(client);
  if (wait == waits_.end() || --wait->second.missing > 0) { return false; }
  held_ -= cost_of_wait(wait->second.keys);
  waits_.erase(wait);
  replies.push_back(wait_reply(client, wire::WaitReply::stop_waiting));
  return true;
}

void StoreState::wait_for(ClientId client, std::vector<std::string> keys, bool at_barrier) {
  forget(client);
  for (const std::string& key : keys) { waiters_[key].push_back({client, at_barrier}); }
  const std::size_t missing = keys.size();
  held_ += cost_of_wait(keys);
  waits_.emplace(client, Wait{std::move(keys), missing});
}

Complaint StoreState::do_append(ClientId from, Query& query, Replies& replies) {
  const auto found = values_.find(query.key);
  if (found == values_.end()) { return do_set(from, query, replies); }
  if (!fits(from, query.value.size())) { return too_full(query.key); }
  // A reply that holds the old value keeps it.
  if (found->second.use_count() > 1) { found->second = make_value(*found->second); }
  found->second->append(query.value);
  *alive_ += query.value.size();
  stored_values_ += query.value.size();
  held_ += query.value.size();
  wake_all(found->first, replies);
  return std::nullopt;
}

Complaint StoreState::do_compare_set(ClientId from, Query& query, Replies& replies) {
  const auto found = values_.find(query.key);
  if (found == values_.end() && !query.expected.empty()) {
    replies.push_back(value_reply(from, make_value(std::move(query.expected))));
    return std::nullopt;
  }
  if (found != values_.end() && *found->second != query.expected) {
    replies.push_back(value_reply(from, found->second));
    return std::nullopt;
  }
  std::string key = query.key;
  Replies woken;
  if (Complaint complaint = do_set(from, query, woken)) { return complaint; }
  replies.push_back(value_reply(from, find(key)));
  replies.insert(replies.end(), std::make_move_iterator(woken.begin()), std::make_move_iterator(woken.end()));
  return std::nullopt;
}

Complaint StoreState::do_add(ClientId from, Query& query, Replies& replies) {
  const StoreValue value = find(query.key);
  const std::optional<std::int64_t> number = leading_number(value);
  if (!number) { return not_a_number("ADD", query.key); }
  if (!value && !fits(from, query.key.size() + kEntryBytes)) { return too_full(query.key); }
  const std::int64_t sum = wrapping_sum(*number, query.number);
  replies.push_back(number_reply(from, sum));
  put(std::move(query.key), make_value(std::to_string(sum)), replies);
  return std::nullopt;
}

Complaint StoreState::do_barrier(ClientId from, Query& query, Replies& replies) {
  const StoreValue value = find(query.key);
  const std::optional<std::int64_t> number = leading_number(value);
  if (!number) { return not_a_number("BARRIER", query.key); }
  if (!value && !fits(from, 4 * (query.key.size() + kEntryBytes))) { return too_full(query.key); }
  const std::int64_t count = wrapping_sum(*number, 1);
  store(query.key, make_value(std::to_string(count)));
  if (count >= query.number) {
    replies.push_back(wait_reply(from, wire::WaitReply::stop_waiting));
    wake_all(query.key, replies);
  } else {
    wake_waits(query.key, replies);
    std::vector<std::string> keys;
    keys.push_back(std::move(query.key));
    wait_for(from, std::move(keys), true);
  }
  return std::nullopt;
}

Complaint StoreState::do_wait(ClientId from, Query& query, Replies& replies) {
  std::vector<std::string> missing;
  for (std::string& key : query.keys) {
    if (!contains(key)) { missing.push_back(std::move(key)); }
  }
  // A key named twice appears once.
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  if (missing.empty()) {
    replies.push_back(wait_reply(from, wire::WaitReply::stop_waiting));
    return std::nullopt;
  }
  forget(from);
  if (!fits(from, cost_of_wait(missing))) { return too_full(missing.front()); }
  wait_for(from, std::move(missing), false);
  return std::nullopt;
}

void StoreState::do_delete_key(ClientId from, const Query& query, Replies& replies) {
  const auto found = values_.find(query.key);
  replies.push_back(number_reply(from, found == values_.end() ? 0 : 1));
  if (found != values_.end()) { erase(found); }
}

void StoreState::do_queue_pop(ClientId from, const Query& query, Replies& replies) {
  const auto found = queues_.find(query.key);
  const std::size_t length = found == queues_.end() ? 0 : found->second.size();
  replies.push_back(number_reply(from, static_cast<std::int64_t>(length)));
  if (length == 0) { return; }
  stored_values_ -= found->second.front()->size();
  held_ -= found->second.front()->size() + found->first.size() + kEntryBytes;
  replies.push_back(value_reply(from, std::move(found->second.front())));
  found->second.pop_front();
  if (found->second.empty()) { queues_.erase(found); }
}

}  // namespace mdl::rendezvous::store

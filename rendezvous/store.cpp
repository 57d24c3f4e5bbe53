#include "rendezvous/store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/str_cat.hpp"

namespace mdl {
namespace {

using wire::Query;
using wire::QueryType;

std::string number_bytes(std::int64_t number) {
  std::string bytes;
  wire::append_u64(bytes, static_cast<std::uint64_t>(number));
  return bytes;
}

std::string byte(wire::WaitReply reply) {
  return std::string(1, static_cast<char>(reply));
}

std::shared_ptr<std::string> make_value(std::string bytes) {
  return std::make_shared<std::string>(std::move(bytes));
}

/// The number that a value begins with, as std::stoll reads it; nullopt where that throws.
std::optional<std::int64_t> leading_number(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str() || errno == ERANGE) return std::nullopt;
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

StoreReply value_reply(ClientId to, StoreValue value) {
  std::string length = number_bytes(value ? static_cast<std::int64_t>(value->size()) : 0);
  return {to, std::move(length), std::move(value)};
}

std::string stored_key(std::string_view user_key) {
  return str_cat("/", user_key);
}

std::string StoreState::apply(ClientId from, Query query, Replies& replies) {
  switch (query.type) {
    case QueryType::ping: {
      std::string nonce;
      wire::append_u32(nonce, static_cast<std::uint32_t>(query.number));
      replies.push_back({from, std::move(nonce)});
      break;
    }
    case QueryType::set:
      put(std::move(query.key), make_value(std::move(query.value)), replies);
      break;
    case QueryType::append:
      do_append(query, replies);
      break;
    case QueryType::get:
      replies.push_back(value_reply(from, find(query.key)));
      break;
    case QueryType::compare_set:
      do_compare_set(from, query, replies);
      break;
    case QueryType::add:
      return do_add(from, query, replies);
    case QueryType::barrier:
      return do_barrier(from, query, replies);
    case QueryType::check: {
      const bool all =
          std::all_of(query.keys.begin(), query.keys.end(), [&](const auto& key) { return contains(key); });
      const auto answer = all ? wire::CheckReply::ready : wire::CheckReply::not_ready;
      replies.push_back({from, std::string(1, static_cast<char>(answer))});
      break;
    }
    case QueryType::wait:
      do_wait(from, query, replies);
      break;
    case QueryType::cancel_wait:
      forget(from);
      replies.push_back({from, byte(wire::WaitReply::wait_canceled)});
      break;
    case QueryType::get_num_keys:
      replies.push_back({from, number_bytes(static_cast<std::int64_t>(values_.size()))});
      break;
    case QueryType::delete_key:
      replies.push_back({from, number_bytes(static_cast<std::int64_t>(values_.erase(query.key)))});
      break;
    case QueryType::queue_push:
      queues_[query.key].push_back(make_value(std::move(query.value)));
      wake_one(query.key, replies);
      break;
    case QueryType::queue_pop:
      do_queue_pop(from, query, replies);
      break;
    case QueryType::queue_len: {
      const auto queue = queues_.find(query.key);
      const std::size_t length = queue == queues_.end() ? 0 : queue->second.size();
      replies.push_back({from, number_bytes(static_cast<std::int64_t>(length))});
      break;
    }
    case QueryType::list_keys: {
      std::string list = number_bytes(static_cast<std::int64_t>(values_.size()));
      for (const auto& [key, value] : values_) wire::append_string(list, key);
      replies.push_back({from, std::move(list)});
      break;
    }
    case QueryType::validate:
    case QueryType::multi_get:
    case QueryType::multi_set:
      return "sends a query that the decoder should have resolved";
  }
  return {};
}

void StoreState::forget(ClientId client) {
  const auto wait = waits_.find(client);
  if (wait == waits_.end()) return;
  for (const std::string& key : wait->second.keys) {
    const auto waiters = waiters_.find(key);
    if (waiters == waiters_.end()) continue;
    std::erase_if(waiters->second, [&](const Waiter& waiter) { return waiter.client == client; });
    if (waiters->second.empty()) waiters_.erase(waiters);
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
  for (const auto& [key, value] : values_) result.push_back(key);
  std::sort(result.begin(), result.end());
  return result;
}

void StoreState::put(std::string key, Stored value, Replies& replies) {
  const auto [entry, is_new] = values_.insert_or_assign(std::move(key), std::move(value));
  wake_all(entry->first, replies);
}

/// Everyone who waits at `key`, for the key itself or at a barrier.
void StoreState::wake_all(const std::string& key, Replies& replies) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) return;
  const std::vector<Waiter> woken = std::move(found->second);
  waiters_.erase(found);
  for (const Waiter& waiter : woken) satisfied(waiter.client, replies);
}

/// Those who wait for the key itself; a barrier that is not complete keeps its clients.
void StoreState::wake_waits(const std::string& key, Replies& replies) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) return;
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
  if (found == waiters_.end()) return;
  auto& waiters = found->second;
  bool done = false;
  for (auto waiter = waiters.begin(); waiter != waiters.end() && !done; waiter = waiters.erase(waiter)) {
    done = satisfied(waiter->client, replies);
  }
  if (waiters.empty()) waiters_.erase(found);
}

/// One of the keys of a waiting client has appeared. True when it was the last.
bool StoreState::satisfied(ClientId client, Replies& replies) {
  const auto wait = waits_.find(client);
  if (wait == waits_.end() || --wait->second.missing > 0) return false;
  waits_.erase(wait);
  replies.push_back({client, byte(wire::WaitReply::stop_waiting)});
  return true;
}

void StoreState::wait_for(ClientId client, std::vector<std::string> keys, bool at_barrier) {
  forget(client);
  for (const std::string& key : keys) waiters_[key].push_back({client, at_barrier});
  const std::size_t missing = keys.size();
  waits_.emplace(client, Wait{std::move(keys), missing});
}

void StoreState::do_append(Query& query, Replies& replies) {
  const auto found = values_.find(query.key);
  if (found == values_.end()) return put(std::move(query.key), make_value(std::move(query.value)), replies);
  // A reply that holds the old value keeps it.
  if (found->second.use_count() > 1) found->second = make_value(*found->second);
  found->second->append(query.value);
  wake_all(found->first, replies);
}

void StoreState::do_compare_set(ClientId from, Query& query, Replies& replies) {
  const auto found = values_.find(query.key);
  if (found == values_.end() && !query.expected.empty()) {
    replies.push_back(value_reply(from, make_value(std::move(query.expected))));
    return;
  }
  if (found != values_.end() && *found->second != query.expected) {
    replies.push_back(value_reply(from, found->second));
    return;
  }
  Stored value = make_value(std::move(query.value));
  replies.push_back(value_reply(from, value));
  put(std::move(query.key), std::move(value), replies);
}

std::string StoreState::do_add(ClientId from, Query& query, Replies& replies) {
  std::int64_t sum = query.number;
  if (const StoreValue value = find(query.key)) {
    const std::optional<std::int64_t> number = leading_number(*value);
    if (!number) return not_a_number("ADD", query.key);
    sum = wrapping_sum(*number, query.number);
  }
  replies.push_back({from, number_bytes(sum)});
  put(std::move(query.key), make_value(std::to_string(sum)), replies);
  return {};
}

std::string StoreState::do_barrier(ClientId from, Query& query, Replies& replies) {
  std::int64_t count = 1;
  if (const StoreValue value = find(query.key)) {
    const std::optional<std::int64_t> number = leading_number(*value);
    if (!number) return not_a_number("BARRIER", query.key);
    count = wrapping_sum(*number, 1);
  }
  values_.insert_or_assign(query.key, make_value(std::to_string(count)));
  if (count >= query.number) {
    replies.push_back({from, byte(wire::WaitReply::stop_waiting)});
    wake_all(query.key, replies);
  } else {
    wake_waits(query.key, replies);
    std::vector<std::string> keys;
    keys.push_back(std::move(query.key));
    wait_for(from, std::move(keys), true);
  }
  return {};
}

void StoreState::do_wait(ClientId from, Query& query, Replies& replies) {
  std::vector<std::string> missing;
  for (std::string& key : query.keys) {
    if (!contains(key)) missing.push_back(std::move(key));
  }
  // A key named twice appears once.
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  if (missing.empty()) {
    replies.push_back({from, byte(wire::WaitReply::stop_waiting)});
  } else {
    wait_for(from, std::move(missing), false);
  }
}

void StoreState::do_queue_pop(ClientId from, const Query& query, Replies& replies) {
  const auto found = queues_.find(query.key);
  const std::size_t length = found == queues_.end() ? 0 : found->second.size();
  replies.push_back({from, number_bytes(static_cast<std::int64_t>(length))});
  if (length == 0) return;
  replies.push_back(value_reply(from, std::move(found->second.front())));
  found->second.pop_front();
  if (found->second.empty()) queues_.erase(found);
}

}  // namespace mdl

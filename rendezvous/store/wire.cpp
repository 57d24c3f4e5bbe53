#include "rendezvous/store/wire.hpp"

#include <bit>
#include <cstring>

#include "common/str_cat.hpp"

namespace mdl::rendezvous::store::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "the store's numbers are copied as they lie in memory");

template <typename Number>
void append_number(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename Number>
Number read_number(std::string_view bytes) {
  Number value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// Enough to keep for the next message; more, left by a large value, is given back.
constexpr std::size_t kKeptBufferBytes = 64 * 1024;

/// What follows the QueryType of a message.
enum class Arguments { none, nonce, key, key_and_number, key_and_value, key_and_two_values, list, unknown };

Arguments arguments_of(QueryType type) {
  switch (type) {
    case QueryType::ping:
      return Arguments::nonce;
    case QueryType::set:
    case QueryType::append:
    case QueryType::queue_push:
      return Arguments::key_and_value;
    case QueryType::compare_set:
      return Arguments::key_and_two_values;
    case QueryType::get:
    case QueryType::delete_key:
    case QueryType::queue_pop:
    case QueryType::queue_len:
      return Arguments::key;
    case QueryType::add:
    case QueryType::barrier:
      return Arguments::key_and_number;
    case QueryType::check:
    case QueryType::wait:
    case QueryType::multi_get:
    case QueryType::multi_set:
      return Arguments::list;
    case QueryType::get_num_keys:
    case QueryType::cancel_wait:
    case QueryType::list_keys:
      return Arguments::none;
    case QueryType::validate:  // which is no query
      break;
  }
  return Arguments::unknown;
}

}  // namespace

void append_u32(std::string& out, std::uint32_t value) {
  append_number(out, value);
}
void append_u64(std::string& out, std::uint64_t value) {
  append_number(out, value);
}
void append_string(std::string& out, std::string_view text) {
  append_u64(out, text.size());
  out.append(text);
}
std::uint32_t read_u32(std::string_view bytes) {
  return read_number<std::uint32_t>(bytes);
}
std::uint64_t read_u64(std::string_view bytes) {
  return read_number<std::uint64_t>(bytes);
}

bool may_change(QueryType type) {
  return type == QueryType::set || type == QueryType::compare_set || type == QueryType::add ||
         type == QueryType::append || type == QueryType::delete_key;
}

std::string encode(const Query& query) {
  std::string out(1, static_cast<char>(query.type));
  switch (query.type) {
    case QueryType::validate:
    case QueryType::ping:
      append_u32(out, static_cast<std::uint32_t>(query.number));
      break;
    case QueryType::set:
    case QueryType::append:
    case QueryType::queue_push:
      append_string(out, query.key);
      append_string(out, query.value);
      break;
    case QueryType::compare_set:
      append_string(out, query.key);
      append_string(out, query.expected);
      append_string(out, query.value);
      break;
    case QueryType::get:
    case QueryType::delete_key:
    case QueryType::queue_pop:
    case QueryType::queue_len:
      append_string(out, query.key);
      break;
    case QueryType::add:
    case QueryType::barrier:
      append_string(out, query.key);
      append_u64(out, static_cast<std::uint64_t>(query.number));
      break;
    case QueryType::check:
    case QueryType::wait:
    case QueryType::multi_get:
      append_u64(out, query.keys.size());
      for (const std::string& key : query.keys) { append_string(out, key); }
      break;
    case QueryType::get_num_keys:
    case QueryType::cancel_wait:
    case QueryType::list_keys:
    case QueryType::multi_set:  // encode_multi_set() adds the pairs
      break;
  }
  return out;
}

std::string encode_multi_set(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = encode({.type = QueryType::multi_set});
  append_u64(out, pairs.size());
  for (const auto& [key, value] : pairs) {
    append_string(out, key);
    append_string(out, value);
  }
  return out;
}

std::string encode_handshake(std::uint32_t nonce) {
  return encode({.type = QueryType::validate, .number = kMagic}) + encode({.type = QueryType::ping, .number = nonce});
}

/// Reads arguments one after the other. After the first that is not there yet, or is not allowed, all further reads do
/// nothing; `complete` says whether all were read, `error` whether one was not allowed.
struct QueryDecoder::Cursor {
  std::string_view rest;
  bool complete = true;
  std::optional<std::string> error{};

  std::string_view take(std::size_t n) {
    if (!complete || rest.size() < n) {
      complete = false;
      return {};
    }
    const std::string_view taken = rest.substr(0, n);
    rest.remove_prefix(n);
    return taken;
  }
  std::uint64_t u64() {
    const std::string_view bytes = take(sizeof(std::uint64_t));
    return complete ? read_u64(bytes) : 0;
  }
  std::uint32_t u32() {
    const std::string_view bytes = take(sizeof(std::uint32_t));
    return complete ? read_u32(bytes) : 0;
  }
  std::string string(std::size_t limit, const char* what) {
    const std::uint64_t size = u64();
    if (complete && size > limit) {
      error = str_cat("a ", what, " of ", size, " bytes (at most ", limit, ")");
      complete = false;
    }
    return std::string(take(static_cast<std::size_t>(size)));
  }
  std::string key() { return string(kMaxKeyBytes, "key"); }
  std::string value() { return string(kMaxValueBytes, "value"); }
};

void QueryDecoder::feed(std::string_view bytes) {
  if (error_) { return; }
  if (offset_ > 0) {
    buffer_.erase(0, offset_);
    offset_ = 0;
    if (buffer_.empty() && buffer_.capacity() > kKeptBufferBytes) { buffer_ = std::string(); }
  }
  buffer_.append(bytes);
}

std::optional<Query> QueryDecoder::next() {
  while (!error_) {
    const std::size_t before = offset_;
    std::optional<Query> query = list_remaining_ > 0 ? next_list_element() : begin_message();
    // No query although bytes were used: the introduction, or the head or a key of a list. Go on with what follows.
    if (query || offset_ == before) { return query; }
  }
  return std::nullopt;
}

std::optional<Query> QueryDecoder::begin_message() {
  Cursor cursor{std::string_view(buffer_).substr(offset_)};
  const std::string_view first = cursor.take(1);
  if (!cursor.complete) { return std::nullopt; }
  const auto code = static_cast<std::uint8_t>(first.front());
  Query query{.type = static_cast<QueryType>(code)};

  if (query.type == QueryType::validate) {
    take_introduction(cursor);
    return std::nullopt;
  }
  if (!introduced_) {
    fail(str_cat("does not introduce itself as a TCPStore client (first byte ", static_cast<int>(code), ")"));
    return std::nullopt;
  }
  switch (arguments_of(query.type)) {
    case Arguments::none:
      break;
    case Arguments::nonce:
      query.number = cursor.u32();
      break;
    case Arguments::key:
      query.key = cursor.key();
      break;
    case Arguments::key_and_number:
      query.key = cursor.key();
      query.number = static_cast<std::int64_t>(cursor.u64());
      break;
    case Arguments::key_and_value:
      query.key = cursor.key();
      query.value = cursor.value();
      break;
    case Arguments::key_and_two_values:
      query.key = cursor.key();
      query.expected = cursor.value();
      query.value = cursor.value();
      break;
    case Arguments::list:
      return begin_list(cursor, std::move(query));
    case Arguments::unknown:
      fail(str_cat("sends a query of unknown type ", static_cast<int>(code)));
      return std::nullopt;
  }
  if (cursor.error) { fail(str_cat("sends ", *cursor.error)); }
  if (!cursor.complete) { return std::nullopt; }
  offset_ = buffer_.size() - cursor.rest.size();
  return query;
}

void QueryDecoder::take_introduction(Cursor& cursor) {
  if (introduced_) { return fail("introduces itself twice"); }
  const std::uint32_t magic = cursor.u32();
  if (!cursor.complete) { return; }
  if (magic != kMagic) { return fail(str_cat("introduces itself with a wrong magic number (", magic, ")")); }
  introduced_ = true;
  offset_ = buffer_.size() - cursor.rest.size();
}

/// A list without elements is complete.
std::optional<Query> QueryDecoder::begin_list(Cursor& cursor, Query query) {
  const std::uint64_t count = cursor.u64();
  if (!cursor.complete) { return std::nullopt; }
  if (count > kMaxKeysPerMessage) {
    fail(str_cat("sends a list of ", count, " keys (at most ", kMaxKeysPerMessage, ")"));
    return std::nullopt;
  }
  offset_ = buffer_.size() - cursor.rest.size();
  list_ = std::move(query);
  list_remaining_ = static_cast<std::size_t>(count);
  list_bytes_ = 0;
  const bool answers_once = list_.type == QueryType::check || list_.type == QueryType::wait;
  if (count == 0 && answers_once) { return std::exchange(list_, {}); }
  return std::nullopt;
}

std::optional<Query> QueryDecoder::next_list_element() {
  Cursor cursor{std::string_view(buffer_).substr(offset_)};
  std::string key = cursor.key();
  std::string value = list_.type == QueryType::multi_set ? cursor.value() : std::string();
  if (cursor.error) { fail(str_cat("sends ", *cursor.error)); }
  if (!cursor.complete) { return std::nullopt; }
  offset_ = buffer_.size() - cursor.rest.size();
  --list_remaining_;

  switch (list_.type) {
    case QueryType::multi_get:
      return Query{.type = QueryType::get, .key = std::move(key)};
    case QueryType::multi_set:
      return Query{.type = QueryType::set, .key = std::move(key), .value = std::move(value)};
    default:
      break;
  }
  list_bytes_ += key.size();
  if (list_bytes_ > kMaxKeyListBytes) {
    fail(str_cat("sends a list of keys of more than ", kMaxKeyListBytes, " bytes"));
    return std::nullopt;
  }
  list_.keys.push_back(std::move(key));
  if (list_remaining_ > 0) { return std::nullopt; }
  return std::exchange(list_, {});
}

void QueryDecoder::fail(std::string why) {
  error_ = std::move(why);
  buffer_ = std::string();
  offset_ = 0;
  list_ = {};
  list_remaining_ = 0;
}

}  // namespace mdl::rendezvous::store::wire

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The messages between a TCPStore client and its server, as torch 2.15 speaks them. Pure: bytes in, values out.
///
/// All numbers are little endian; a string is its length (u64) and its bytes. A connection begins with VALIDATE and the
/// magic number (no answer), then PING and any u32, which comes back. After that each message is one byte, the
/// QueryType, and its arguments:
///
///     SET         key value                  no answer
///     COMPARE_SET key expected desired       the value now there, as a string
///     GET         key                        the value as a string, empty when the key is not there
///     ADD         key delta(i64)             the sum, i64
///     CHECK       n(u64) key×n               1 byte: CheckReply
///     WAIT        n(u64) key×n               1 byte, WaitReply, once all keys are there
///     GETNUMKEYS                             i64
///     DELETE_KEY  key                        i64: how many were deleted
///     APPEND      key value                  no answer
///     MULTI_GET   n(u64) key×n               n strings
///     MULTI_SET   n(u64) (key value)×n       no answer
///     CANCEL_WAIT                            1 byte: WaitReply::wait_canceled
///     PING        u32                        the same u32
///     QUEUE_PUSH  key value                  no answer
///     QUEUE_POP   key                        i64: the length before; then, unless that is 0, the value as a string
///     QUEUE_LEN   key                        i64
///     LIST_KEYS                              i64 n, then n strings
///     BARRIER     key world_size(i64)        1 byte, WaitReply, once world_size clients have sent it
namespace mdl::rendezvous::store::wire {

enum class QueryType : std::uint8_t {
  validate = 0,
  set = 1,
  compare_set = 2,
  get = 3,
  add = 4,
  check = 5,
  wait = 6,
  get_num_keys = 7,
  delete_key = 8,
  append = 9,
  multi_get = 10,
  multi_set = 11,
  cancel_wait = 12,
  ping = 13,
  queue_push = 14,
  queue_pop = 15,
  queue_len = 16,
  list_keys = 17,
  barrier = 18,
};

/// Whether a query of this kind may change the key that it names. (multi_set and barrier name several, or count.)
bool may_change(QueryType type);

enum class CheckReply : std::uint8_t { ready = 0, not_ready = 1 };
enum class WaitReply : std::uint8_t { stop_waiting = 0, wait_canceled = 1 };

inline constexpr std::uint32_t kMagic = 0x3C85F7CE;

// Limits on what a client may send. The first three are those of torch's own (libuv) server, so that a job that runs
// against one runs against the other; more in one message is a client that is broken, or not a TCPStore client at all.
inline constexpr std::size_t kMaxKeyBytes = 8 * 1024;
inline constexpr std::size_t kMaxValueBytes = 8 * 1024 * 1024;
inline constexpr std::size_t kMaxKeysPerMessage = 128 * 1024;
/// The keys of one CHECK or WAIT together: they are kept until the message is complete. 128 bytes for each of the most
/// keys, more than torch's own key names have.
inline constexpr std::size_t kMaxKeyListBytes = 16 * 1024 * 1024;
/// What a client accepts as one value from a server. Values grow beyond kMaxValueBytes by APPEND; beyond this the
/// number read is not a length.
inline constexpr std::size_t kMaxReplyBytes = 1024 * 1024 * 1024;
/// The same for the number of keys of LIST_KEYS.
inline constexpr std::size_t kMaxReplyKeys = 64 * 1024 * 1024;

/// One request. Which members count depends on `type`: see the table above.
struct Query {
  QueryType type = QueryType::ping;
  std::string key{};
  std::string value{};              ///< also the desired value of compare_set
  std::string expected{};           ///< of compare_set
  std::int64_t number = 0;          ///< delta of add, world size of barrier, nonce of ping, magic of validate
  std::vector<std::string> keys{};  ///< of check, wait, multi_get

  bool operator==(const Query&) const = default;
};

/// The bytes of one query. multi_set has its own function.
std::string encode(const Query& query);
std::string encode_multi_set(const std::vector<std::pair<std::string, std::string>>& pairs);
/// VALIDATE and PING with `nonce`, what a client sends first.
std::string encode_handshake(std::uint32_t nonce);

void append_u32(std::string& out, std::uint32_t value);
void append_u64(std::string& out, std::uint64_t value);
/// Length and bytes.
void append_string(std::string& out, std::string_view text);
/// The number in the first bytes, of which there must be enough.
std::uint32_t read_u32(std::string_view bytes);
std::uint64_t read_u64(std::string_view bytes);

/// Cuts the bytes of one client into queries and enforces the limits. MULTI_GET and MULTI_SET come out as the GETs and
/// SETs they consist of, each as soon as it is complete: the answers on the wire are the same, and a message of any
/// number of values needs memory for one.
class QueryDecoder {
 public:
  /// Adds received bytes.
  void feed(std::string_view bytes);
  /// The next complete query (never validate: the decoder checks the introduction itself). nullopt when more bytes are
  /// needed, and for ever after an error.
  std::optional<Query> next();
  /// What the client did wrong; nothing while it behaves.
  const std::optional<std::string>& error() const { return error_; }
  /// Whether the client has introduced itself with the magic number.
  bool introduced() const { return introduced_; }
  /// About how many bytes it keeps.
  std::size_t memory() const { return buffer_.capacity() + list_bytes_ + list_.keys.capacity() * sizeof(std::string); }
  /// Whether a message has begun that is not complete.
  bool in_message() const { return offset_ < buffer_.size() || list_remaining_ > 0; }

 private:
  struct Cursor;
  std::optional<Query> begin_message();
  void take_introduction(Cursor& cursor);
  std::optional<Query> begin_list(Cursor& cursor, Query query);
  std::optional<Query> next_list_element();
  void fail(std::string why);

  std::string buffer_;
  std::size_t offset_ = 0;  // bytes of buffer_ already turned into queries
  std::optional<std::string> error_{};
  bool introduced_ = false;
  // A message with a list (CHECK, WAIT, MULTI_GET, MULTI_SET) in progress:
  Query list_;
  std::size_t list_remaining_ = 0;
  std::size_t list_bytes_ = 0;
};

}  // namespace mdl::rendezvous::store::wire

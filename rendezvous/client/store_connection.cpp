#include "rendezvous/client/store_connection.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "common/loop/resolve.hpp"
#include "common/loop/tcp_socket.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/client/tcp_store_client.hpp"
#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::client {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// Longer ones would overflow the clock.
constexpr std::chrono::hours kLongestDeadline{24 * 365 * 10};

/// "connection refused" rather than "Connection refused": it stands within a sentence.
std::string reason(const error_code& error) {
  if (error == asio::error::eof) { return "the server closed the connection"; }
  std::string text = error.message();
  if (!text.empty()) { text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0]))); }
  return text;
}

ConnectFailure failure_of(const error_code& error) {
  const bool refused = error == asio::error::connection_refused;
  return {refused ? ConnectFailure::Kind::refused : ConnectFailure::Kind::other, reason(error)};
}

ConnectFailure other_failure(std::string reason) {
  return {ConnectFailure::Kind::other, std::move(reason)};
}

}  // namespace

StoreConnection::StoreConnection(const asio::any_io_executor& executor, Endpoint server)
    : server_(std::move(server)), socket_(executor), timer_(executor) {}

StoreConnection::~StoreConnection() {
  if (interrupt_) { interrupt_->connection = nullptr; }
}

StoreConnection::Deadline::Deadline(StoreConnection& connection, Milliseconds timeout) : connection_(connection) {
  const auto interrupt = std::make_shared<Interrupt>(Interrupt{&connection});
  connection.interrupt_ = interrupt;
  connection.timer_.expires_after(std::min<Milliseconds>(timeout, kLongestDeadline));
  connection.timer_.async_wait([interrupt](const error_code& error) {
    if (error || !interrupt->connection) { return; }
    interrupt->passed = true;
    error_code ignored;
    interrupt->connection->socket_.cancel(ignored);
  });
}

StoreConnection::Deadline::~Deadline() {
  // The handler may be queued already: it must not interrupt what comes next.
  connection_.interrupt_->connection = nullptr;
  connection_.interrupt_.reset();
  connection_.timer_.cancel();
}

asio::awaitable<std::optional<ConnectFailure>> StoreConnection::connect_one(tcp::endpoint address) {
  error_code error;
  socket_.close(error);
  if (socket_.open(address.protocol(), error)) { co_return failure_of(error); }
  loop::close_on_exec(socket_.native_handle());
  co_await socket_.async_connect(address, asio::redirect_error(asio::use_awaitable, error));
  if (interrupt_->passed) { co_return other_failure("no answer"); }
  if (error) { co_return failure_of(error); }
  loop::configure_connection(socket_);
  co_return std::nullopt;
}

asio::awaitable<std::optional<ConnectFailure>> StoreConnection::open(Milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  auto addresses = co_await loop::resolve(server_, timeout);
  if (!addresses) { co_return other_failure(std::move(addresses.error())); }
  std::optional<ConnectFailure> last;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    // An address that swallows connections must leave time for the others.
    const auto left = std::chrono::ceil<Milliseconds>(until - std::chrono::steady_clock::now());
    const auto share = std::max(Milliseconds::zero(), left) / static_cast<int>(addresses->size() - i);
    const Deadline deadline(*this, share);
    last = co_await connect_one((*addresses)[i]);
    if (!last) { break; }
  }
  co_return last;
}

asio::awaitable<void> StoreConnection::introduce(access::StoreCredential credential) {
  if (credential.secret) { co_await prove(*credential.secret, credential.role); }
  std::uint32_t nonce = std::random_device{}();
  if (nonce == access::handshake::kSecretWanted || nonce == access::handshake::kSecretHello) { nonce = 1; }
  co_await send(store::wire::encode_handshake(nonce));
  const std::uint32_t answer = co_await receive_u32();
  if (answer == access::handshake::kSecretWanted) {
    fail_access("wants a secret, and this side has none",
                "Give all nodes of the job the same --rdzv-conf secret_file=PATH, or none of them.");
  }
  if (answer != nonce) { fail("it does not answer as a TCPStore server"); }
}

asio::awaitable<void> StoreConnection::prove(const access::StoreSecret& secret, access::StoreRole role) {
  co_await send(access::handshake::hello());
  const std::uint32_t kind = co_await receive_u32();
  if (kind == access::handshake::kSecretHello) {
    fail_access("has no secret, and this side has one: nothing shows that it is the job's",
                "Give all nodes of the job the same --rdzv-conf secret_file=PATH, or none of them: none where torchrun "
                "takes part, whose stores know no secret.");
  }
  if (kind != access::handshake::kChallenge) { fail("it does not answer as a TCPStore server"); }
  std::string challenge;
  store::wire::append_u32(challenge, kind);
  challenge += co_await take(access::handshake::kChallengeBytes - challenge.size());
  const access::handshake::Nonce own = access::handshake::fresh_nonce();
  co_await send(access::handshake::answer_to(challenge, secret, role, own));
  const char verdict = static_cast<char>(co_await receive_byte());
  if (verdict == access::handshake::kRefused) {
    fail_access("refuses the secret of this side: it has another one",
                "All nodes of the job need a copy of one and the same file as --rdzv-conf secret_file.");
  }
  const std::string_view proof = co_await take(access::handshake::kVerdictBytes - 1);
  if (!access::handshake::proves_itself(verdict + std::string(proof), challenge, secret, role, own)) {
    fail_access("does not know the secret: somebody else has taken its place",
                "Look for who listens at that address and port.");
  }
}

void StoreConnection::fail_access(const std::string& problem, const std::string& advice) {
  last_failure_ = str_cat("it ", problem);
  error_code ignored;
  socket_.close(ignored);
  throw access::StoreAccessError(str_cat("the store at ", to_string(server_), " ", problem), advice);
}

void StoreConnection::interrupt() {
  if (!interrupt_) { return; }
  interrupt_->passed = true;
  error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<void> StoreConnection::send(std::string bytes) {
  error_code error;
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::operation_aborted) { fail("no answer"); }
  if (error) { fail(reason(error)); }
}

asio::awaitable<bool> StoreConnection::wait_for_bytes(std::size_t count) {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < count) {
    if (interrupt_->passed) { co_return false; }
    error_code error;
    end_ += co_await socket_.async_read_some(asio::buffer(buffer_) + end_,
                                             asio::redirect_error(asio::use_awaitable, error));
    const bool closed = !socket_.is_open();
    if (error && (closed || error != asio::error::operation_aborted)) { fail(reason(error)); }
  }
  co_return true;
}

/// The next `count` bytes, at most kReadBytes of them. Valid until the next receive.
asio::awaitable<std::string_view> StoreConnection::take(std::size_t count) {
  const bool received = end_ - begin_ >= count || co_await wait_for_bytes(count);
  if (!received) { fail("no answer"); }
  const std::string_view bytes(buffer_.data() + begin_, count);
  begin_ += count;
  co_return bytes;
}

asio::awaitable<std::uint8_t> StoreConnection::receive_byte() {
  const std::string_view bytes = co_await take(1);
  co_return static_cast<std::uint8_t>(bytes.front());
}

asio::awaitable<std::uint32_t> StoreConnection::receive_u32() {
  co_return store::wire::read_u32(co_await take(4));
}

asio::awaitable<std::uint64_t> StoreConnection::receive_u64() {
  co_return store::wire::read_u64(co_await take(8));
}

asio::awaitable<std::string> StoreConnection::receive_string() {
  const std::uint64_t size = co_await receive_u64();
  if (size > store::wire::kMaxReplyBytes) { fail(str_cat("its answer has ", size, " bytes")); }
  std::string text;
  while (text.size() < size) {
    // What is there already, or else at least one byte.
    if (begin_ == end_) {
      const bool received = co_await wait_for_bytes(1);
      if (!received) { fail("no answer"); }
    }
    const std::size_t part = std::min<std::size_t>(end_ - begin_, static_cast<std::size_t>(size) - text.size());
    text.append(buffer_.data() + begin_, part);
    begin_ += part;
  }
  co_return text;
}

void StoreConnection::close() {
  error_code ignored;
  socket_.close(ignored);
}

void StoreConnection::fail(const std::string& why) {
  last_failure_ = why;
  error_code ignored;
  socket_.close(ignored);
  throw StoreConnectionError(str_cat("lost the store at ", to_string(server_), " during ", operation_, ": ", why));
}

std::string StoreConnection::local_address() const {
  error_code error;
  const tcp::endpoint end = socket_.local_endpoint(error);
  return error ? std::string() : loop::describe(end.address());
}

}  // namespace mdl::rendezvous::client

#include "rendezvous/access/store_gate.hpp"

#include <algorithm>
#include <utility>

#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::access {
namespace {

// Of the introduction, VALIDATE magic PING number.
constexpr std::size_t kNumberAt = 6;

/// Whether `bytes`, as far as they have come, are those of an introduction.
bool introduces(std::string_view bytes) {
  return store::wire::encode_handshake(0).substr(0, kNumberAt).starts_with(bytes.substr(0, kNumberAt));
}

}  // namespace

StoreGate::StoreGate(std::shared_ptr<const StoreSecret> secret, bool plain_may_enter, const handshake::Nonce& nonce)
    : secret_(std::move(secret)), plain_may_enter_(plain_may_enter), nonce_(nonce) {}

std::size_t StoreGate::wanted() const {
  return stage_ == Stage::introduction ? handshake::kHelloBytes : handshake::kAnswerBytes;
}

std::string StoreGate::feed(std::string_view& bytes) {
  std::string reply;
  while (state_ == State::undecided && !bytes.empty()) {
    const std::size_t taken = std::min(bytes.size(), wanted() - held_.size());
    held_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (stage_ == Stage::introduction) {
      reply += on_introduction();
    } else if (held_.size() == wanted()) {
      reply += on_answer();
    }
  }
  return reply;
}

std::string StoreGate::on_introduction() {
  const bool as_ever = introduces(held_);
  if (as_ever && held_.size() < wanted()) { return {}; }
  if (held_ == handshake::hello()) {
    held_.clear();
    stage_ = Stage::answer;
    return handshake::challenge_with(nonce_);
  }
  if (plain_may_enter_) {
    state_ = State::plain;
    return {};
  }
  // A client that waits for the answer to its PING can be told. All that it sends first has been read by now, or the
  // kernel would drop the reply.
  std::string reply;
  if (as_ever) { store::wire::append_u32(reply, handshake::kSecretWanted); }
  return refuse("does not know the secret", std::move(reply));
}

std::string StoreGate::on_answer() {
  const auto role = handshake::check_answer(held_, *secret_, nonce_);
  if (!role) { return refuse("has another secret", {handshake::kRefused}); }
  std::string verdict = handshake::verdict_on(held_, *secret_, nonce_);
  held_.clear();
  role_ = *role;
  state_ = State::member;
  return verdict;
}

std::string StoreGate::refuse(std::string complaint, std::string reply) {
  held_.clear();
  complaint_ = std::move(complaint);
  state_ = State::refused;
  return reply;
}

}  // namespace mdl::rendezvous::access

#include "rendezvous/access/store_handshake.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "rendezvous/store/wire.hpp"

namespace mdl::rendezvous::access {
namespace handshake {
namespace {

using Mac = StoreSecret::Mac;

// Of one length, so that what follows is at the same place.
constexpr std::string_view kAgentLabel = "mdl-launch store handshake 1: agent";
constexpr std::string_view kStoreLabel = "mdl-launch store handshake 1: store";
static_assert(kAgentLabel.size() == kStoreLabel.size());

template <std::size_t Size>
std::string_view text_of_bytes(const std::array<std::uint8_t, Size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), Size};
}

template <std::size_t Size>
std::array<std::uint8_t, Size> bytes_at(std::string_view text, std::size_t offset) {
  std::array<std::uint8_t, Size> bytes{};
  std::memcpy(bytes.data(), text.substr(offset, Size).data(), Size);
  return bytes;
}

Mac proof(const StoreSecret& secret, std::string_view label, StoreRole role, const Nonce& store, const Nonce& agent) {
  const char role_byte = static_cast<char>(role);
  return secret.hmac({label, std::string_view(&role_byte, 1), text_of_bytes(store), text_of_bytes(agent)});
}

}  // namespace

Nonce fresh_nonce() {
  Nonce nonce{};
  std::size_t filled = 0;
  while (filled < nonce.size()) {
    const ssize_t n = ::getrandom(nonce.data() + filled, nonce.size() - filled, 0);
    if (n < 0 && errno == EINTR) { continue; }
    if (n < 0) { throw std::system_error(errno, std::system_category(), "getrandom"); }
    filled += static_cast<std::size_t>(n);
  }
  return nonce;
}

std::string hello() {
  return store::wire::encode_handshake(kSecretHello);
}

std::string challenge_with(const Nonce& nonce) {
  std::string challenge;
  store::wire::append_u32(challenge, kChallenge);
  challenge.append(text_of_bytes(nonce));
  return challenge;
}

std::string answer_to(std::string_view challenge, const StoreSecret& secret, StoreRole role, const Nonce& own) {
  const Mac mac = proof(secret, kAgentLabel, role, bytes_at<sizeof(Nonce)>(challenge, sizeof kChallenge), own);
  std::string answer(1, static_cast<char>(role));
  answer.append(text_of_bytes(own)).append(text_of_bytes(mac));
  return answer;
}

std::optional<StoreRole> check_answer(std::string_view answer, const StoreSecret& secret, const Nonce& nonce) {
  if (answer.size() != kAnswerBytes) { return std::nullopt; }
  const auto role = static_cast<StoreRole>(answer.front());
  const Mac expected = proof(secret, kAgentLabel, role, nonce, bytes_at<sizeof(Nonce)>(answer, 1));
  const bool known_role = role == StoreRole::member || role == StoreRole::observer;
  if (!known_role || !same_mac(bytes_at<sizeof(Mac)>(answer, 1 + sizeof(Nonce)), expected)) { return std::nullopt; }
  return role;
}

std::string verdict_on(std::string_view answer, const StoreSecret& secret, const Nonce& nonce) {
  const auto role = static_cast<StoreRole>(answer.front());
  const Mac mac = proof(secret, kStoreLabel, role, nonce, bytes_at<sizeof(Nonce)>(answer, 1));
  std::string verdict(1, kAccepted);
  verdict.append(text_of_bytes(mac));
  return verdict;
}

bool proves_itself(std::string_view verdict, std::string_view challenge, const StoreSecret& secret, StoreRole role,
                   const Nonce& own) {
  const Mac expected = proof(secret, kStoreLabel, role, bytes_at<sizeof(Nonce)>(challenge, sizeof kChallenge), own);
  return verdict.size() == kVerdictBytes && verdict.front() == kAccepted &&
         same_mac(bytes_at<sizeof(Mac)>(verdict, 1), expected);
}

}  // namespace handshake

}  // namespace mdl::rendezvous::access

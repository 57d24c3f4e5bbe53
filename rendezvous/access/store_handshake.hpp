#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.hpp"
#include "rendezvous/access/store_secret.hpp"

/// How an agent of ours and a store of ours prove to each other that they know the job's secret, before anything else
/// is said on their connection. Pure: bytes in, bytes out.
///
///     agent -> store   VALIDATE magic, PING kSecretHello     as any client begins, but for the number
///     store -> agent   kChallenge(u32) nonce(32)             A store without a secret, torch's or ours, says the
///                                                            number back, as to any PING.
///     agent -> store   role(u8) nonce(32) HMAC(32)
///     store -> agent   kAccepted(u8) HMAC(32)                or kRefused(u8): another secret, and the end
///
/// then the agent goes on as every client does (wire.hpp). Both nonces are new for each connection, so that nothing
/// that was recorded is of use again, and
///
///     HMAC = HMAC-SHA256(secret, label of the sender's side | role | store's nonce | agent's nonce),
///
/// all of fixed lengths; the labels differ, so that neither side's proof can be sent back to it as the other's.
///
/// What follows is neither encrypted nor signed: who can change the bytes of a connection takes over one that has been
/// proven. A client without a secret which the store does not let in gets kSecretWanted for an answer to its PING.
namespace mdl::rendezvous::access {

/// Why a connection's other end wants to be told apart: the host of a member is one of the job's (StoreGuard).
enum class StoreRole : std::uint8_t { member = 1, observer = 2 };

/// What a client proves itself with; nothing when it has no secret.
struct StoreCredential {
  std::shared_ptr<const StoreSecret> secret{};
  StoreRole role = StoreRole::member;

  // Not an aggregate: GCC 12 destroys braced temporaries twice when they stand in a co_await expression.
  StoreCredential() = default;
  explicit StoreCredential(std::shared_ptr<const StoreSecret> secret_, StoreRole role_ = StoreRole::member)
      : secret(std::move(secret_)), role(role_) {}
};

/// The two ends do not have the same secret. Not a lost connection: to try again is of no use.
class StoreAccessError : public Error {
 public:
  using Error::Error;
};

namespace handshake {

// No process id, which torch's clients send with PING, is as large; ours without a secret never send these.
inline constexpr std::uint32_t kSecretHello = 0xFE4C444D;
inline constexpr std::uint32_t kChallenge = 0xFE43444D;
inline constexpr std::uint32_t kSecretWanted = 0xFE53444D;

inline constexpr char kAccepted = 'A';
inline constexpr char kRefused = 'R';

using Nonce = std::array<std::uint8_t, 32>;

/// From the kernel's random numbers.
Nonce fresh_nonce();

std::string hello();
inline constexpr std::size_t kHelloBytes = 10;
inline constexpr std::size_t kChallengeBytes = sizeof kChallenge + sizeof(Nonce);
inline constexpr std::size_t kAnswerBytes = 1 + sizeof(Nonce) + sizeof(StoreSecret::Mac);
inline constexpr std::size_t kVerdictBytes = 1 + sizeof(StoreSecret::Mac);

/// The agent's answer to a challenge (kChallengeBytes, beginning with kChallenge).
std::string answer_to(std::string_view challenge, const StoreSecret& secret, StoreRole role, const Nonce& own);
/// Whose answer to the challenge with `nonce` this is (kAnswerBytes); nothing when it does not prove the secret.
std::optional<StoreRole> check_answer(std::string_view answer, const StoreSecret& secret, const Nonce& nonce);
/// The store's proof, for an answer that has been checked.
std::string verdict_on(std::string_view answer, const StoreSecret& secret, const Nonce& nonce);
std::string challenge_with(const Nonce& nonce);
/// Whether `verdict` (kVerdictBytes, beginning with kAccepted) proves that who sent `challenge` knows the secret.
bool proves_itself(std::string_view verdict, std::string_view challenge, const StoreSecret& secret, StoreRole role,
                   const Nonce& own);

}  // namespace handshake

}  // namespace mdl::rendezvous::access

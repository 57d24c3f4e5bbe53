#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "rendezvous/access/store_handshake.hpp"

namespace mdl::rendezvous::access {

/// The store's side: what to do with the first bytes of one connection. Keeps at most kMostBytes of them.
class StoreGate {
 public:
  enum class State {
    undecided,
    member,   ///< has proven that it knows the secret, as the role says
    plain,    ///< a client without a secret, which may come in
    refused,  ///< must be closed once the reply is sent
  };
  static constexpr std::size_t kMostBytes = handshake::kAnswerBytes;

  /// `plain_may_enter`: what becomes of a client without the secret. `nonce` is for this connection alone.
  StoreGate(std::shared_ptr<const StoreSecret> secret, bool plain_may_enter, const handshake::Nonce& nonce);

  /// Takes from the front of `bytes` what belongs to the handshake; returns what is to be sent. For a plain client,
  /// before() is what it has said so far.
  std::string feed(std::string_view& bytes);

  State state() const { return state_; }
  /// Of a member.
  StoreRole role() const { return role_; }
  /// Of a plain client: its bytes up to the decision, which are the beginning of its messages.
  const std::string& before() const { return held_; }
  /// Why it is refused, to follow "the client": "has …".
  const std::string& complaint() const { return complaint_; }

 private:
  enum class Stage { introduction, answer };

  std::string on_introduction();
  std::string on_answer();
  std::string refuse(std::string complaint, std::string reply = {});
  std::size_t wanted() const;

  const std::shared_ptr<const StoreSecret> secret_;
  const bool plain_may_enter_;
  const handshake::Nonce nonce_;
  State state_ = State::undecided;
  Stage stage_ = Stage::introduction;
  StoreRole role_ = StoreRole::member;
  std::string held_;
  std::string complaint_;
};

}  // namespace mdl::rendezvous::access

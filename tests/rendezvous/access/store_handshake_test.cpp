#include "rendezvous/access/store_handshake.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "rendezvous/access/store_gate.hpp"
#include "rendezvous/store/wire.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using Catch::Contains;

namespace {

const std::string kPassword = "a secret of 27 bytes, or so";

std::shared_ptr<const StoreSecret> secret(const std::string& text = kPassword) {
  return std::make_shared<const StoreSecret>(text);
}

handshake::Nonce nonce(std::uint8_t fill) {
  handshake::Nonce bytes{};
  bytes.fill(fill);
  return bytes;
}

std::string feed(StoreGate& gate, std::string_view bytes) {
  return gate.feed(bytes);
}

/// What both sides have said, and how it ended.
struct Talk {
  std::string challenge;
  std::string answer;
  std::string verdict;
  StoreGate::State state = StoreGate::State::undecided;
};

Talk talk(const StoreSecret& agent, const std::shared_ptr<const StoreSecret>& store, std::uint8_t fill = 1) {
  StoreGate gate(store, false, nonce(fill));
  Talk talk;
  talk.challenge = feed(gate, handshake::hello());
  talk.answer = handshake::answer_to(talk.challenge, agent, StoreRole::member, nonce(9));
  talk.verdict = feed(gate, talk.answer);
  talk.state = gate.state();
  return talk;
}

bool proves(const Talk& talk, const StoreSecret& secret) {
  return handshake::proves_itself(talk.verdict, talk.challenge, secret, StoreRole::member, nonce(9));
}

std::string hex(const StoreSecret::Mac& mac) {
  std::string text;
  for (const std::uint8_t byte : mac) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string refusal(const std::string& path) {
  try {
    read_store_secret(path);
  } catch (const UsageError& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "taken";
}

void write_file(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

}  // namespace

TEST_CASE("HMAC-SHA256 is that of RFC 4231") {
  const StoreSecret key(std::string(20, '\x0b'));
  CHECK(hex(key.hmac({"Hi ", "There"})) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const StoreSecret long_key(std::string(131, '\xaa'));
  CHECK(hex(long_key.hmac({"Test Using Larger Than Block-Size Key - Hash Key First"})) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("who knows the secret is let in, and sees that the store knows it") {
  const auto own = secret();
  const Talk done = talk(*own, own);
  CHECK(done.state == StoreGate::State::member);
  CHECK(proves(done, *own));
}

TEST_CASE("another secret is refused, and the store that has it proves nothing") {
  const Talk refused = talk(*secret(kPassword + "!"), secret());
  CHECK(refused.state == StoreGate::State::refused);
  CHECK(refused.verdict == std::string(1, handshake::kRefused));
  // A store that lets everybody in is still none of the job's.
  Talk liar = talk(*secret(), secret());
  CHECK_FALSE(proves(liar, *secret(kPassword + "!")));
}

TEST_CASE("a recorded handshake opens no second connection") {
  const auto own = secret();
  const Talk recorded = talk(*own, own, 1);
  StoreGate gate(own, false, nonce(2));
  feed(gate, handshake::hello());
  feed(gate, recorded.answer);
  CHECK(gate.state() == StoreGate::State::refused);
  // Nor does a store's recorded proof serve for another challenge or another nonce of the agent's.
  const std::string challenge = handshake::challenge_with(nonce(2));
  CHECK_FALSE(handshake::proves_itself(recorded.verdict, challenge, *own, StoreRole::member, nonce(9)));
  CHECK_FALSE(handshake::proves_itself(recorded.verdict, recorded.challenge, *own, StoreRole::member, nonce(8)));
  CHECK_FALSE(handshake::proves_itself(recorded.verdict, recorded.challenge, *own, StoreRole::observer, nonce(9)));
}

TEST_CASE("an agent's proof sent back to it is no proof of the store's, and the other way round") {
  const auto own = secret();
  const Talk recorded = talk(*own, own);
  const std::string mac = recorded.answer.substr(recorded.answer.size() - sizeof(StoreSecret::Mac));
  Talk reflected = recorded;
  reflected.verdict = handshake::kAccepted + mac;
  CHECK_FALSE(proves(reflected, *own));
  StoreGate gate(own, false, nonce(1));
  feed(gate, handshake::hello());
  std::string answer = recorded.answer;
  answer.replace(answer.size() - sizeof(StoreSecret::Mac), sizeof(StoreSecret::Mac), recorded.verdict.substr(1));
  feed(gate, answer);
  CHECK(gate.state() == StoreGate::State::refused);
}

TEST_CASE("a handshake with one bit changed anywhere is refused") {
  const auto own = secret();
  const Talk good = talk(*own, own);
  for (std::size_t i = 0; i < good.answer.size(); ++i) {
    StoreGate gate(own, false, nonce(1));
    feed(gate, handshake::hello());
    std::string answer = good.answer;
    answer[i] = static_cast<char>(answer[i] ^ 1);
    feed(gate, answer);
    CHECK(gate.state() == StoreGate::State::refused);
  }
  for (std::size_t i = 0; i < good.verdict.size(); ++i) {
    Talk changed = good;
    changed.verdict[i] = static_cast<char>(changed.verdict[i] ^ 1);
    CHECK_FALSE(proves(changed, *own));
  }
}

TEST_CASE("a handshake that is cut short decides nothing, and one in single bytes is as good as any") {
  const auto own = secret();
  StoreGate gate(own, false, nonce(1));
  const std::string answer =
      handshake::answer_to(handshake::challenge_with(nonce(1)), *own, StoreRole::observer, nonce(9));
  std::string all = handshake::hello() + answer + "rest";
  std::string said;
  for (std::size_t i = 0; i + 5 < all.size(); ++i) {
    said += feed(gate, std::string_view(all).substr(i, 1));
    REQUIRE(gate.state() == StoreGate::State::undecided);
  }
  std::string_view last = std::string_view(all).substr(all.size() - 5);
  said += gate.feed(last);
  CHECK(gate.state() == StoreGate::State::member);
  CHECK(gate.role() == StoreRole::observer);
  CHECK(last == "rest");
  CHECK(said.size() == handshake::kChallengeBytes + handshake::kVerdictBytes);
  CHECK_FALSE(
      handshake::proves_itself(said.substr(handshake::kChallengeBytes, 5), said, *own, StoreRole::observer, nonce(9)));
}

TEST_CASE("a TCPStore client from elsewhere is told that a secret is wanted, other strangers are told nothing") {
  StoreGate torch(secret(), false, nonce(1));
  std::string told;
  for (const char byte : wire::encode_handshake(77)) { told += feed(torch, std::string(1, byte)); }
  CHECK(torch.state() == StoreGate::State::refused);
  REQUIRE(told.size() == 4);
  CHECK(wire::read_u32(told) == handshake::kSecretWanted);
  for (const std::string& bytes : {std::string("GET / HTTP/1.1"), std::string("\0\1\2\3\4", 5),
                                   wire::encode_handshake(7).substr(0, 5) + "\1" /* SET */}) {
    StoreGate gate(secret(), false, nonce(1));
    CHECK(feed(gate, bytes).empty());
    CHECK(gate.state() == StoreGate::State::refused);
  }
}

TEST_CASE("a TCPStore client from a host of the job is let in, with all that it has said") {
  StoreGate gate(secret(), true, nonce(1));
  const std::string introduction = wire::encode_handshake(77);
  std::string_view bytes = introduction;
  CHECK(gate.feed(bytes).empty());
  CHECK(gate.state() == StoreGate::State::plain);
  CHECK(gate.before() + std::string(bytes) == introduction);
  // Also one that asks something else first.
  StoreGate old(secret(), true, nonce(1));
  CHECK(feed(old, introduction.substr(0, 5)).empty());
  CHECK(old.state() == StoreGate::State::undecided);
  std::string_view next = "\1 and more";
  CHECK(old.feed(next).empty());
  CHECK(old.state() == StoreGate::State::plain);
  CHECK(old.before() + std::string(next) == introduction.substr(0, 5) + "\1 and more");
}

TEST_CASE("no two nonces are the same") {
  std::set<handshake::Nonce> seen;
  for (int i = 0; i < 1000; ++i) { seen.insert(handshake::fresh_nonce()); }
  CHECK(seen.size() == 1000);
}

TEST_CASE("a secret file is the user's alone and long enough, and one line end at its end does not count") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "secret").string();
  CHECK_THAT(refusal(path), Contains("No such file") && Contains(path) && Contains("/dev/urandom"));
  write_file(path, "");
  CHECK_THAT(refusal(path), Contains("is empty"));
  write_file(path, "fifteen bytes!!\n");
  CHECK_THAT(refusal(path), Contains("only 15 bytes") && !Contains("fifteen"));
  write_file(path, std::string(StoreSecret::kMostBytes + 1, 'x'));
  CHECK_THAT(refusal(path), Contains("more than 4096 bytes"));
  CHECK_THAT(refusal(folder.path().string()), Contains("regular file"));
  for (const mode_t open : {0640, 0604, 0620, 0602}) {
    write_file(path, "sixteen bytes!!!", open);
    CHECK_THAT(refusal(path), Contains("chmod 600 " + path));
  }
  const auto mac = secret("sixteen bytes!!!")->hmac({"x"});
  for (const char* end : {"", "\n", "\r\n"}) {
    write_file(path, std::string("sixteen bytes!!!") + end);
    CHECK(read_store_secret(path)->hmac({"x"}) == mac);
  }
  write_file(path, "sixteen bytes!!!\n\n");
  CHECK(read_store_secret(path)->hmac({"x"}) != mac);
}

// What a TCPStore server makes of the bytes of its clients. Input: packets of [client % 4][length] bytes. Client 3 must
// introduce itself, and is put before the gates of a store with a secret as well; the others have introduced
// themselves.
#include <array>

#include "rendezvous/access/store_gate.hpp"
#include "rendezvous/store/store.hpp"
#include "rendezvous/store/wire.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::store;
using fuzz::claim;

namespace {

constexpr std::size_t kClients = 4;

class Server {
 public:
  Server() {
    for (std::size_t client = 0; client + 1 < kClients; ++client) { connect(client); }
  }

  void receive(std::size_t client, std::string_view bytes) {
    if (client + 1 == kClients) { knock(bytes); }
    wire::QueryDecoder& decoder = decoders_[client];
    decoder.feed(bytes);
    while (auto query = decoder.next()) {
      claim(query->type != wire::QueryType::validate, "the decoder keeps the introduction to itself");
      claim(decoder.introduced(), "nothing comes from a client that has not introduced itself");
      check_encoding(*query);
      std::vector<StoreReply> replies;
      const Complaint why = state_.apply(client, std::move(*query), replies);
      for (const StoreReply& reply : replies) { claim(reply.to < kClients, "replies go to clients that are there"); }
      if (why) { return reconnect(client); }
    }
    if (decoder.error()) { reconnect(client); }
  }

  ~Server() {
    for (ClientId client = 0; client < kClients; ++client) { state_.forget(client); }
    claim(state_.waiting_count() == 0, "nobody waits once all have gone");
    std::vector<StoreReply> count;
    state_.apply(kOwnClient, {.type = wire::QueryType::get_num_keys}, count);
    claim(state_.keys().size() == wire::read_u64(count.at(0).head), "every key is listed");
  }

 private:
  /// Nobody gets through who does not know the secret, and nothing of what they say is kept.
  void knock(std::string_view bytes) {
    for (StoreGate* gate : {&closed_, &open_}) {
      std::string_view rest = bytes;
      const std::string reply = gate->feed(rest);
      claim(reply.size() <= handshake::kChallengeBytes + handshake::kVerdictBytes, "a short reply");
      claim(gate->before().size() <= StoreGate::kMostBytes, "little is kept");
      claim(gate->state() != StoreGate::State::member, "no MAC is guessed");
      claim(gate->state() != StoreGate::State::undecided || rest.empty(), "all is read until it is decided");
    }
    claim(closed_.state() != StoreGate::State::plain, "no stranger is let in");
  }

  void connect(std::size_t client) {
    decoders_[client].feed(wire::encode_handshake(7));
    claim(decoders_[client].next().has_value() && decoders_[client].introduced(), "a handshake is one PING");
  }

  void reconnect(std::size_t client) {
    state_.forget(client);
    decoders_[client] = {};
    if (client + 1 < kClients) { connect(client); }
  }

  /// What was decoded means the same when it is sent again.
  static void check_encoding(const wire::Query& query) {
    wire::QueryDecoder decoder;
    decoder.feed(wire::encode_handshake(7));
    decoder.next();
    decoder.feed(wire::encode(query));
    const auto again = decoder.next();
    claim(again && *again == query, "a decoded query can be encoded again");
  }

  std::array<wire::QueryDecoder, kClients> decoders_;
  StoreState state_;
  const std::shared_ptr<const StoreSecret> secret_ = std::make_shared<const StoreSecret>("not to be guessed by bytes");
  StoreGate closed_{secret_, false, handshake::fresh_nonce()};
  StoreGate open_{secret_, true, handshake::fresh_nonce()};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Server server;
  std::string_view rest = fuzz::text_of(data, size);
  while (rest.size() > 2) {
    const auto client = static_cast<unsigned char>(rest[0]) % kClients;
    const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(rest[1]), rest.size() - 2);
    server.receive(client, rest.substr(2, length));
    rest.remove_prefix(2 + length);
  }
  return 0;
}

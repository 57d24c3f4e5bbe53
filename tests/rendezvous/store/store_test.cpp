#include "rendezvous/store/store.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

using namespace mdl;
using namespace mdl::rendezvous::store;
using namespace mdl::rendezvous::store::wire;
using Catch::Contains;

namespace {

constexpr ClientId kAnn = 1;
constexpr ClientId kBob = 2;
constexpr ClientId kCem = 3;

const std::string kStop(1, '\0');
const std::string kCanceled(1, '\1');

std::string number(std::int64_t value) {
  std::string bytes;
  append_u64(bytes, static_cast<std::uint64_t>(value));
  return bytes;
}

std::string string(const std::string& text) {
  return number(static_cast<std::int64_t>(text.size())) + text;
}

/// A store and what it has sent to whom.
struct Store {
  StoreState state;
  std::vector<StoreReply> replies;

  Complaint apply(ClientId from, Query query) {
    replies.clear();
    return state.apply(from, std::move(query), replies);
  }
  /// All bytes for `client` that the last query caused.
  std::string sent_to(ClientId client) const {
    std::string bytes;
    for (const StoreReply& reply : replies) {
      if (reply.to == client) { bytes.append(reply.head).append(reply.value ? *reply.value : ""); }
    }
    return bytes;
  }
  /// Carries out a query that must not fail; the bytes that come back to `from`.
  std::string ask(ClientId from, Query query) {
    CHECK(apply(from, std::move(query)) == std::nullopt);
    return sent_to(from);
  }
  void set(const std::string& key, const std::string& value, ClientId from = kAnn) {
    CHECK(ask(from, {.type = QueryType::set, .key = key, .value = value}) == "");
  }
  std::string get(const std::string& key) { return ask(kCem, {.type = QueryType::get, .key = key}); }
  std::string wait(ClientId from, std::vector<std::string> keys) {
    return ask(from, {.type = QueryType::wait, .keys = std::move(keys)});
  }
  std::string barrier(ClientId from, std::int64_t world_size) {
    return ask(from, {.type = QueryType::barrier, .key = "/b", .number = world_size});
  }
  std::string add(ClientId from, std::int64_t delta) {
    return ask(from, {.type = QueryType::add, .key = "/n", .number = delta});
  }
  std::string compare_set(const std::string& expected, const std::string& desired) {
    return ask(kAnn, {.type = QueryType::compare_set, .key = "/k", .value = desired, .expected = expected});
  }
  void push(const std::string& item) {
    CHECK(ask(kAnn, {.type = QueryType::queue_push, .key = "/q", .value = item}) == "");
  }
  std::string pop(ClientId from) { return ask(from, {.type = QueryType::queue_pop, .key = "/q"}); }
};

}  // namespace

TEST_CASE("set, get, append and delete work on one key") {
  Store store;
  store.set("/k", "v");
  CHECK(store.get("/k") == string("v"));
  store.ask(kAnn, {.type = QueryType::append, .key = "/k", .value = "w"});
  store.ask(kAnn, {.type = QueryType::append, .key = "/new", .value = "n"});
  CHECK(store.get("/k") == string("vw"));
  CHECK(store.get("/new") == string("n"));
  CHECK(store.ask(kAnn, {.type = QueryType::delete_key, .key = "/k"}) == number(1));
  CHECK(store.ask(kAnn, {.type = QueryType::delete_key, .key = "/k"}) == number(0));
  CHECK(store.get("/k") == string(""));
}

TEST_CASE("a reply on its way keeps its value when the key is appended to") {
  Store store;
  store.set("/k", "old");
  store.get("/k");
  const std::vector<StoreReply> unsent = std::move(store.replies);
  store.ask(kAnn, {.type = QueryType::append, .key = "/k", .value = " and new"});
  REQUIRE(unsent.size() == 1);
  CHECK(*unsent[0].value == "old");
  CHECK(store.get("/k") == string("old and new"));
}

TEST_CASE("ping answers with its nonce") {
  Store store;
  CHECK(store.ask(kAnn, {.type = QueryType::ping, .number = 0x01020304}) == "\x04\x03\x02\x01");
}

TEST_CASE("compare_set sets when the value is the expected one, or when both are nothing") {
  Store store;
  CHECK(store.compare_set("x", "a") == string("x"));  // torch's odd answer for a missing key
  CHECK(store.state.keys().empty());
  CHECK(store.compare_set("", "a") == string("a"));
  CHECK(store.compare_set("", "b") == string("a"));
  CHECK(store.compare_set("z", "b") == string("a"));
  CHECK(store.compare_set("a", "b") == string("b"));
  CHECK(store.get("/k") == string("b"));
  CHECK(store.compare_set("b", "") == string(""));
  CHECK(store.state.contains("/k"));
}

TEST_CASE("compare_set wakes those who wait for the key it creates, and nobody when it sets nothing") {
  Store store;
  CHECK(store.wait(kBob, {"/k"}) == "");
  store.compare_set("x", "a");
  CHECK(store.sent_to(kBob) == "");
  store.compare_set("", "a");
  CHECK(store.sent_to(kBob) == kStop);
}

TEST_CASE("add counts from nothing, up and down, and leaves decimal digits") {
  Store store;
  CHECK(store.add(kAnn, 5) == number(5));
  CHECK(store.add(kBob, -8) == number(-3));
  CHECK(store.get("/n") == string("-3"));
  store.set("/n", " 41 apples");
  CHECK(store.add(kAnn, 1) == number(42));
}

TEST_CASE("add wraps around at the end of 64 bits") {
  Store store;
  store.set("/n", std::to_string(std::numeric_limits<std::int64_t>::max()));
  CHECK(store.add(kAnn, 1) == number(std::numeric_limits<std::int64_t>::min()));
}

TEST_CASE("add and barrier on what is no number are errors and change nothing") {
  Store store;
  const std::string text = GENERATE("apples", "", "99999999999999999999");
  store.set("/n", text);
  store.set("/b", text);
  CHECK_THAT(store.apply(kBob, {.type = QueryType::add, .key = "/n", .number = 1}).value_or(""),
             Contains("ADD for key \"/n\""));
  CHECK(store.replies.empty());
  CHECK_THAT(store.apply(kBob, {.type = QueryType::barrier, .key = "/b", .number = 2}).value_or(""),
             Contains("BARRIER for key \"/b\""));
  CHECK(store.replies.empty());
  CHECK(store.state.waiting_count() == 0);
  CHECK(store.get("/n") == string(text));
}

TEST_CASE("check tells whether all keys are there") {
  Store store;
  store.set("/a", "1");
  store.push("item");
  const auto check = [&](std::vector<std::string> keys) {
    return store.ask(kAnn, {.type = QueryType::check, .keys = std::move(keys)});
  };
  CHECK(check({"/a"}) == std::string(1, '\0'));
  CHECK(check({"/a", "/q"}) == std::string(1, '\0'));
  CHECK(check({}) == std::string(1, '\0'));
  CHECK(check({"/a", "/b"}) == std::string(1, '\1'));
}

TEST_CASE("a wait for what is there is answered at once") {
  Store store;
  store.set("/a", "1");
  store.set("/b", "1");
  CHECK(store.wait(kBob, {"/a", "/b", "/a"}) == kStop);
  CHECK(store.wait(kBob, {}) == kStop);
  CHECK(store.state.waiting_count() == 0);
}

TEST_CASE("a wait is answered when the last of its keys appears, and once") {
  Store store;
  store.set("/a", "1");
  CHECK(store.wait(kBob, {"/a", "/b", "/c", "/b"}) == "");
  CHECK(store.wait(kCem, {"/c"}) == "");
  store.set("/b", "1");
  CHECK(store.sent_to(kBob) == "");
  store.set("/b", "2");
  CHECK(store.sent_to(kBob) == "");
  store.set("/c", "1");
  CHECK(store.sent_to(kBob) == kStop);
  CHECK(store.sent_to(kCem) == kStop);
  store.set("/c", "2");
  CHECK(store.replies.empty());
  CHECK(store.state.waiting_count() == 0);
}

TEST_CASE("whatever creates a key wakes those who wait for it") {
  Store store;
  CHECK(store.wait(kBob, {"/n"}) == "");
  const auto type = GENERATE(QueryType::set, QueryType::add, QueryType::append, QueryType::compare_set,
                             QueryType::barrier, QueryType::queue_push);
  CAPTURE(static_cast<int>(type));
  store.apply(kAnn, {.type = type, .key = "/n", .number = 2});
  CHECK(store.sent_to(kBob) == kStop);
}

TEST_CASE("a cancelled wait is over, and cancelling nothing is answered too") {
  Store store;
  CHECK(store.wait(kBob, {"/a", "/b"}) == "");
  CHECK(store.ask(kBob, {.type = QueryType::cancel_wait}) == kCanceled);
  store.set("/a", "1");
  store.set("/b", "1");
  CHECK(store.sent_to(kBob) == "");
  CHECK(store.ask(kBob, {.type = QueryType::cancel_wait}) == kCanceled);
}

TEST_CASE("a second wait takes the place of the first") {
  Store store;
  CHECK(store.wait(kBob, {"/a"}) == "");
  CHECK(store.wait(kBob, {"/b"}) == "");
  store.set("/a", "1");
  CHECK(store.sent_to(kBob) == "");
  store.set("/b", "1");
  CHECK(store.sent_to(kBob) == kStop);
}

TEST_CASE("a client that has gone is not waited on, and the others are still woken") {
  Store store;
  CHECK(store.wait(kBob, {"/a", "/b"}) == "");
  CHECK(store.wait(kCem, {"/a"}) == "");
  store.state.forget(kBob);
  store.state.forget(kBob);
  store.set("/a", "1");
  CHECK(store.sent_to(kBob) == "");
  CHECK(store.sent_to(kCem) == kStop);
  CHECK(store.state.waiting_count() == 0);
}

TEST_CASE("a barrier lets all go when the last arrives") {
  Store store;
  CHECK(store.barrier(kAnn, 3) == "");
  CHECK(store.barrier(kBob, 3) == "");
  CHECK(store.barrier(kCem, 3) == kStop);
  CHECK(store.sent_to(kAnn) == kStop);
  CHECK(store.sent_to(kBob) == kStop);
  CHECK(store.get("/b") == string("3"));
}

TEST_CASE("a barrier never starts over: later ones pass at once, as in torch's server") {
  Store store;
  CHECK(store.barrier(kAnn, 1) == kStop);
  CHECK(store.barrier(kAnn, 2) == kStop);
  CHECK(store.barrier(kAnn, 0) == kStop);
}

TEST_CASE("who gives up at a barrier has been counted, as in torch's server") {
  Store store;
  CHECK(store.barrier(kAnn, 2) == "");
  CHECK(store.ask(kAnn, {.type = QueryType::cancel_wait}) == kCanceled);
  CHECK(store.barrier(kBob, 2) == kStop);
  CHECK(store.sent_to(kAnn) == "");
}

TEST_CASE("those at a barrier stay when it wakes one who waits for its key") {
  Store store;
  CHECK(store.wait(kCem, {"/b"}) == "");
  CHECK(store.barrier(kAnn, 2) == "");
  CHECK(store.sent_to(kCem) == kStop);
  CHECK(store.barrier(kBob, 2) == kStop);
  CHECK(store.sent_to(kAnn) == kStop);
}

TEST_CASE("a queue gives its items in order and says how long it was") {
  Store store;
  CHECK(store.pop(kAnn) == number(0));
  store.push("one");
  store.push("");
  CHECK(store.ask(kAnn, {.type = QueryType::queue_len, .key = "/q"}) == number(2));
  CHECK(store.pop(kBob) == number(2) + string("one"));
  CHECK(store.pop(kBob) == number(1) + string(""));
  CHECK(store.pop(kBob) == number(0));
  CHECK(store.ask(kAnn, {.type = QueryType::queue_len, .key = "/q"}) == number(0));
}

TEST_CASE("one item wakes one waiting client, the one that came first") {
  Store store;
  CHECK(store.wait(kBob, {"/q"}) == "");
  CHECK(store.wait(kCem, {"/q"}) == "");
  store.push("one");
  CHECK(store.sent_to(kBob) == kStop);
  CHECK(store.sent_to(kCem) == "");
  store.push("two");
  CHECK(store.sent_to(kBob) == "");
  CHECK(store.sent_to(kCem) == kStop);
}

TEST_CASE("a client that waits for a queue and a key is woken when both are there") {
  Store store;
  CHECK(store.wait(kBob, {"/q", "/k"}) == "");
  CHECK(store.wait(kCem, {"/q"}) == "");
  store.push("one");
  CHECK(store.sent_to(kBob) == "");
  CHECK(store.sent_to(kCem) == kStop);
  store.set("/k", "1");
  CHECK(store.sent_to(kBob) == kStop);
  CHECK(store.state.waiting_count() == 0);
}

TEST_CASE("counts and lists are of plain keys") {
  Store store;
  store.set("/a", "1");
  store.push("item");
  store.add(kAnn, 1);
  CHECK(store.ask(kAnn, {.type = QueryType::get_num_keys}) == number(2));
  const std::string list = store.ask(kAnn, {.type = QueryType::list_keys});
  CHECK((list == number(2) + string("/a") + string("/n") || list == number(2) + string("/n") + string("/a")));
  CHECK(store.state.keys() == std::vector<std::string>{"/a", "/n"});
}

TEST_CASE("many clients wait for one key and all are woken") {
  Store store;
  constexpr ClientId kClients = 5000;
  for (ClientId client = 10; client < 10 + kClients; ++client) { store.wait(client, {"/go"}); }
  CHECK(store.state.waiting_count() == kClients);
  store.set("/go", "1");
  CHECK(store.replies.size() == kClients);
  CHECK(store.state.waiting_count() == 0);
}

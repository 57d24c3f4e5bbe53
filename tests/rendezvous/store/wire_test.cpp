#include "rendezvous/store/wire.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace mdl::rendezvous::store::wire;
using Catch::Contains;

namespace {

std::string introduction() {
  return encode({.type = QueryType::validate, .number = kMagic});
}

QueryDecoder introduced_decoder() {
  QueryDecoder decoder;
  decoder.feed(introduction());
  REQUIRE_FALSE(decoder.next());
  REQUIRE(decoder.introduced());
  return decoder;
}

std::vector<Query> decode_all(QueryDecoder& decoder) {
  std::vector<Query> queries;
  while (auto query = decoder.next()) { queries.push_back(std::move(*query)); }
  return queries;
}

/// A query of every type, with arguments that any mix-up would show.
const std::vector<Query> kEveryQuery{
    {.type = QueryType::ping, .number = 0xFEDCBA98},
    {.type = QueryType::set, .key = "/a", .value = std::string("\0\xff value", 8)},
    {.type = QueryType::set, .key = "", .value = ""},
    {.type = QueryType::compare_set, .key = "/k", .value = "new", .expected = "old value"},
    {.type = QueryType::get, .key = "/g"},
    {.type = QueryType::add, .key = "/n", .number = -7},
    {.type = QueryType::check, .keys = {"/a", "", "/b"}},
    {.type = QueryType::check, .keys = {}},
    {.type = QueryType::wait, .keys = {"/x", "/y"}},
    {.type = QueryType::wait, .keys = {}},
    {.type = QueryType::get_num_keys},
    {.type = QueryType::delete_key, .key = "/d"},
    {.type = QueryType::append, .key = "/p", .value = "tail"},
    {.type = QueryType::cancel_wait},
    {.type = QueryType::queue_push, .key = "/q", .value = "item"},
    {.type = QueryType::queue_pop, .key = "/q"},
    {.type = QueryType::queue_len, .key = "/q"},
    {.type = QueryType::list_keys},
    {.type = QueryType::barrier, .key = "/barrier", .number = 4},
};

}  // namespace

TEST_CASE("queries have the bytes that torch's client sends") {
  // Recorded between torch 2.15's client and server.
  CHECK(encode_handshake(0x17ed) == std::string("\x00\xce\xf7\x85\x3c\x0d\xed\x17\x00\x00", 10));
  CHECK(encode({.type = QueryType::set, .key = "/k", .value = "v"}) ==
        std::string("\x01\x02\0\0\0\0\0\0\0/k\x01\0\0\0\0\0\0\0v", 20));
  CHECK(encode({.type = QueryType::add, .key = "/n", .number = 5}) ==
        std::string("\x04\x02\0\0\0\0\0\0\0/n\x05\0\0\0\0\0\0\0", 19));
  CHECK(encode({.type = QueryType::check, .keys = {"/k", "/zz"}}) ==
        std::string("\x05\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0/k\x03\0\0\0\0\0\0\0/zz", 30));
  CHECK(encode({.type = QueryType::compare_set, .key = "/cs2", .value = "a", .expected = "x"}) ==
        std::string("\x02\x04\0\0\0\0\0\0\0/cs2\x01\0\0\0\0\0\0\0x\x01\0\0\0\0\0\0\0a", 31));
  CHECK(encode_multi_set({{"/m1", "a"}, {"/m2", "b"}}) ==
        std::string(
            "\x0b\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0/m1\x01\0\0\0\0\0\0\0a\x03\0\0\0\0\0\0\0/m2\x01\0\0\0\0\0\0\0b",
            49));
  CHECK(encode({.type = QueryType::barrier, .key = "/b3", .number = 3}) ==
        std::string("\x12\x03\0\0\0\0\0\0\0/b3\x03\0\0\0\0\0\0\0", 20));
}

TEST_CASE("every query comes out of the decoder as it went into the encoder") {
  QueryDecoder decoder = introduced_decoder();
  for (const Query& query : kEveryQuery) {
    CAPTURE(static_cast<int>(query.type));
    decoder.feed(encode(query));
    const auto decoded = decoder.next();
    REQUIRE(decoded);
    CHECK(*decoded == query);
    CHECK_FALSE(decoder.next());
    CHECK_FALSE(decoder.in_message());
  }
}

TEST_CASE("it does not matter how the network cuts the bytes") {
  std::string bytes = introduction();
  for (const Query& query : kEveryQuery) { bytes += encode(query); }
  const std::size_t piece = GENERATE(1u, 2u, 3u, 7u, 64u, 100'000u);

  QueryDecoder decoder;
  std::vector<Query> queries;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    decoder.feed(std::string_view(bytes).substr(at, piece));
    for (Query& query : decode_all(decoder)) { queries.push_back(std::move(query)); }
  }
  CHECK(queries == kEveryQuery);
  CHECK_FALSE(decoder.error());
  CHECK_FALSE(decoder.in_message());
}

TEST_CASE("multi_get and multi_set are the gets and sets they consist of, each as soon as it is there") {
  QueryDecoder decoder = introduced_decoder();
  decoder.feed(encode({.type = QueryType::multi_get, .keys = {"/a", "/b"}}));
  CHECK(decode_all(decoder) ==
        std::vector<Query>{{.type = QueryType::get, .key = "/a"}, {.type = QueryType::get, .key = "/b"}});

  const std::string message = encode_multi_set({{"/a", "1"}, {"/b", "2"}});
  decoder.feed(std::string_view(message).substr(0, message.size() - 1));
  CHECK(decode_all(decoder) == std::vector<Query>{{.type = QueryType::set, .key = "/a", .value = "1"}});
  CHECK(decoder.in_message());
  decoder.feed(std::string_view(message).substr(message.size() - 1));
  CHECK(decode_all(decoder) == std::vector<Query>{{.type = QueryType::set, .key = "/b", .value = "2"}});
  CHECK_FALSE(decoder.in_message());

  decoder.feed(encode({.type = QueryType::multi_get}) + encode({.type = QueryType::get, .key = "/next"}));
  CHECK(decode_all(decoder) == std::vector<Query>{{.type = QueryType::get, .key = "/next"}});
}

TEST_CASE("a client that is no TCPStore client is told apart by its first byte") {
  QueryDecoder decoder;
  decoder.feed("GET / HTTP/1.1\r\n");
  CHECK_FALSE(decoder.next());
  CHECK_THAT(decoder.error().value_or(""), Contains("does not introduce itself"));
  CHECK_FALSE(decoder.introduced());
}

TEST_CASE("a bad frame is an error that says what is wrong, and nothing is decoded after it") {
  const auto u64 = [](std::uint64_t value) {
    std::string bytes;
    append_u64(bytes, value);
    return bytes;
  };
  const auto key = [](std::size_t size) {
    std::string bytes;
    append_string(bytes, std::string(size, 'k'));
    return bytes;
  };
  const std::uint64_t huge = 0x4141414141414141;
  struct Case {
    std::string bytes;
    std::string error;
  };
  const Case bad = GENERATE_COPY(
      Case{"\x13", "unknown type 19"}, Case{"\xff", "unknown type 255"},
      Case{introduction(), "introduces itself twice"}, Case{"\x03" + u64(huge), "a key of 4702111234474983745 bytes"},
      Case{"\x03" + u64(kMaxKeyBytes + 1), "a key of 8193 bytes (at most 8192)"},
      Case{"\x01" + key(1) + u64(kMaxValueBytes + 1), "a value of 8388609 bytes"},
      Case{"\x02" + key(1) + u64(0) + u64(huge), "a value of"},
      Case{"\x05" + u64(kMaxKeysPerMessage + 1), "a list of 131073 keys"}, Case{"\x06" + u64(huge), "a list of"},
      Case{"\x0a" + u64(huge), "a list of"}, Case{"\x0b" + u64(1) + u64(huge), "a key of"},
      Case{"\x06" + u64(2) + key(3) + u64(huge), "a key of"});
  CAPTURE(bad.error);

  QueryDecoder decoder = introduced_decoder();
  decoder.feed(encode({.type = QueryType::get, .key = "/before"}) + bad.bytes + encode({.type = QueryType::list_keys}));
  REQUIRE(decoder.next());
  CHECK_FALSE(decoder.next());
  CHECK_THAT(decoder.error().value_or(""), Contains(bad.error));
  decoder.feed(encode({.type = QueryType::list_keys}));
  CHECK_FALSE(decoder.next());
}

TEST_CASE("a wrong magic number is an error") {
  QueryDecoder decoder;
  decoder.feed(encode({.type = QueryType::validate, .number = kMagic + 1}));
  CHECK_FALSE(decoder.next());
  CHECK_THAT(decoder.error().value_or(""), Contains("wrong magic number"));
}

TEST_CASE("the largest allowed key and value pass") {
  QueryDecoder decoder = introduced_decoder();
  const Query query{.type = QueryType::compare_set,
                    .key = std::string(kMaxKeyBytes, 'k'),
                    .value = std::string(kMaxValueBytes, 'v'),
                    .expected = std::string(kMaxValueBytes, 'e')};
  decoder.feed(encode(query));
  const auto decoded = decoder.next();
  REQUIRE(decoded);
  CHECK((*decoded == query));
}

TEST_CASE("the keys of one wait cannot fill the memory") {
  QueryDecoder decoder = introduced_decoder();
  std::string head(1, static_cast<char>(QueryType::wait));
  append_u64(head, kMaxKeysPerMessage);
  decoder.feed(head);
  std::string key;
  append_string(key, std::string(kMaxKeyBytes, 'k'));
  std::size_t sent = 0;
  while (!decoder.error() && sent < 2 * kMaxKeyListBytes) {
    decoder.feed(key);
    CHECK_FALSE(decoder.next());
    sent += kMaxKeyBytes;
  }
  CHECK_THAT(decoder.error().value_or(""), Contains("list of keys of more than"));
  CHECK(sent == kMaxKeyListBytes + kMaxKeyBytes);
}

TEST_CASE("a decoder knows whether a message is only half there") {
  QueryDecoder decoder;
  CHECK_FALSE(decoder.in_message());
  decoder.feed(introduction().substr(0, 3));
  CHECK_FALSE(decoder.next());
  CHECK(decoder.in_message());
  decoder.feed(introduction().substr(3));
  CHECK_FALSE(decoder.next());
  CHECK_FALSE(decoder.in_message());
  decoder.feed(encode({.type = QueryType::wait, .keys = {"/a", "/b"}}).substr(0, 19));  // up to the end of "/a"
  CHECK_FALSE(decoder.next());
  CHECK(decoder.in_message());
}

#include "common/pickle/pickle.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <string>

#include "common/pickle/pickle_writer.hpp"

using namespace mdl;
using Catch::Contains;
using Kind = PickleValue::Kind;

namespace {

/// Bytes with NULs, from a literal.
template <std::size_t size>
std::string bytes(const char (&literal)[size]) {
  return {literal, size - 1};
}

std::string written(const std::function<void(PickleWriter&)>& write) {
  PickleWriter writer;
  write(writer);
  return writer.finish();
}

}  // namespace

TEST_CASE("a pickle that Python wrote is read as plain values") {
  // pickle.dumps([None, True, -70000, 300, 2**40, "ä", b"\0", (1, 2, 3, 4), {"k": {"v"}}], protocol=4)
  const Pickle pickle(bytes(
      "\x80\x04\x95\x31\0\0\0\0\0\0\0]\x94(N\x88J\x90\xee\xfe\xffM\x2c\x01\x8a\x06\0\0\0\0\0\x01\x8c\x02\xc3\xa4\x94"
      "C\x01\0\x94(K\x01K\x02K\x03K\x04t\x94}\x94\x8c\x01k\x94\x8f\x94(\x8c\x01v\x94\x90se."));
  const PickleValue& list = pickle.root();
  REQUIRE(list.kind == Kind::list);
  REQUIRE(list.items.size() == 9);
  CHECK(list.items[0]->kind == Kind::none);
  CHECK((list.items[1]->kind == Kind::boolean && list.items[1]->integer == 1));
  CHECK((list.items[2]->kind == Kind::integer && list.items[2]->integer == -70000));
  CHECK(list.items[3]->integer == 300);
  CHECK(list.items[4]->integer == std::int64_t{1} << 40);
  CHECK((list.items[5]->kind == Kind::string && list.items[5]->text == "ä"));
  CHECK((list.items[6]->kind == Kind::bytes && list.items[6]->text == std::string(1, '\0')));
  CHECK((list.items[7]->kind == Kind::tuple && list.items[7]->items.size() == 4));
  const PickleValue& dict = *list.items[8];
  REQUIRE((dict.kind == Kind::dict && dict.items.size() == 2));
  CHECK(dict.items[0]->text == "k");
  REQUIRE((dict.items[1]->kind == Kind::set && dict.items[1]->items.size() == 1));
  CHECK(dict.items[1]->items[0]->text == "v");
}

TEST_CASE("a pickle that would run a command is taken apart and nothing is run") {
  // What os.system("touch /tmp/pwned") looks like.
  const Pickle pickle(bytes("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x10touch /tmp/pwned\x85R."));
  const PickleValue& call = pickle.root();
  REQUIRE(call.kind == Kind::object);
  CHECK(call.type->text == "posix.system");
  CHECK(call.items.at(0)->text == "touch /tmp/pwned");
}

TEST_CASE("integers of every size come back") {
  const std::int64_t value =
      GENERATE(0, 1, 255, 256, -1, 65536, 2147483647, -2147483648LL, 2147483648LL,
               std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min());
  const Pickle pickle(written([&](PickleWriter& out) { out.integer(value); }));
  CHECK(pickle.root().kind == Kind::integer);
  CHECK(pickle.root().integer == value);
}

TEST_CASE("long texts come back, and a text that comes again is written once") {
  const std::string text(70'000, 't');
  const std::string once = written([&](PickleWriter& out) { out.string(text); });
  const std::string twice = written([&](PickleWriter& out) {
    out.string(text);
    out.string(text);
    out.tuple(2);
  });
  CHECK(twice.size() < once.size() + 10);
  const Pickle pickle(twice);
  CHECK(pickle.root().items.at(1)->text == text);
  CHECK(Pickle(written([&](PickleWriter& out) { out.bytes(text); })).root().text == text);
}

TEST_CASE("objects, dicts and sets come back, also when there are more than 256 memos") {
  const std::string data = written([](PickleWriter& out) {
    out.empty_dict();
    out.mark();
    PickleWriter::Memo first = 0;
    for (int i = 0; i < 300; ++i) {
      out.string("key " + std::to_string(i));
      out.type("some.module", "Class");
      out.tuple(0);
      out.new_object();
      const PickleWriter::Memo memo = out.memoize();
      if (i == 290) { first = memo; }
      out.empty_dict();
      out.mark();
      out.string("number");
      out.integer(i);
      out.set_items();
      out.build();
    }
    out.string("again");
    out.get(first);
    out.set_items();
  });
  const Pickle pickle(data);
  REQUIRE(pickle.root().items.size() == 602);
  const PickleValue& again = *pickle.root().items.at(601);
  CHECK(&again == pickle.root().items.at(2 * 290 + 1));
  CHECK(again.type->text == "some.module.Class");
  CHECK(again.state->items.at(1)->integer == 290);
}

TEST_CASE("what is no pickle of plain data is an error that says where") {
  const auto [data, reason] = GENERATE(table<std::string, std::string>({
      {"", "byte 0: it ends too early"},
      {"hello", "does not begin as a pickle"},
      {bytes("\x80\x04"), "ends too early"},
      {bytes("\x80\x63N."), "protocol 99"},
      {bytes("\x80\x04."), "does not end with one value"},
      {bytes("\x80\x04NN."), "does not end with one value"},
      {bytes("\x80\x04N.N"), "bytes after its end"},
      {bytes("\x80\x04(N."), "does not end with one value"},
      {bytes("\x80\x04\x85."), "takes a value where there is none"},
      {bytes("\x80\x04N(\x85."), "takes a value where there is none"},
      {bytes("\x80\x04u."), "mark where there is none"},
      {bytes("\x80\x04}(Nu."), "no value"},
      {bytes("\x80\x04N(NNu."), "not of the right kind"},
      {bytes("\x80\x04h\0."), "has not remembered"},
      {bytes("\x80\x04Nq\x05."), "skips a number"},
      {bytes("\x80\x04Nr\xff\xff\xff\xff."), "skips a number"},
      {bytes("\x80\x04X\xff\xff\xff\xffxx."), "ends too early"},
      {bytes("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffxx."), "ends too early"},
      {bytes("\x80\x04\x8a\x09\0\0\0\0\0\0\0\0\x01."), "more than 64 bits"},
      {bytes("\x80\x04K\x01)R."), "no type"},
      {bytes("\x80\x04K\x01K\x01\x93."), "name of a type is no string"},
      {bytes("\x80\x04]Nb."), "not of the right kind"},
      {bytes("\x80\x04U\x01x."), "opcode 85 is not one of plain data"},
      {bytes("\x80\x04\x97."), "opcode 151"},
      {bytes("\x80\x02"
             "cposix\nsystem"),
       "ends too early"},
  }));
  CAPTURE(data);
  CHECK_THROWS_WITH(Pickle(data), Contains("pickle, byte ") && Contains(reason));
}

TEST_CASE("a pickle for torch.load has the opcodes of protocol 2 and comes back") {
  PickleWriter out(PickleWriter::Protocol::two);
  out.mark();
  out.string("storage");
  out.persistent_id();
  out.real(-0.15625);
  out.bytes("\x80z");
  out.empty_list();
  out.mark();
  out.integer(4294967295);
  out.appends();
  out.tuple_from_mark();
  const std::string data = out.finish();
  CHECK(data.substr(0, 2) == "\x80\x02");
  CHECK(data.find('\x94') == std::string::npos);
  const Pickle pickle(data);
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 4);
  CHECK(items[0]->kind == PickleValue::Kind::persistent);
  CHECK(items[0]->items.front()->text == "storage");
  CHECK(items[1]->real == -0.15625);
  CHECK(items[2]->type->text == "_codecs.encode");
  CHECK(items[2]->items.front()->text == "\xc2\x80z");  // Latin-1, in UTF-8
  CHECK(items[3]->items.front()->integer == 4294967295);
}

TEST_CASE("every beginning of a pickle is an error, never a crash") {
  const std::string whole = written([](PickleWriter& out) {
    out.type("a", "B");
    out.tuple(0);
    out.new_object();
    out.empty_dict();
    out.mark();
    out.string("k");
    out.integer(1 << 20);
    out.set_items();
    out.build();
  });
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_THROWS_AS(Pickle(whole.substr(0, size)), PickleError);
  }
  CHECK_NOTHROW(Pickle(whole));
}

TEST_CASE("a short pickle cannot make many values") {
  // Two bytes for each value on the stack.
  std::string data = bytes("\x80\x04N\x94(");
  for (std::size_t i = 0; i < Pickle::kMaxValues + 1; ++i) { data += bytes("h\0"); }
  CHECK_THROWS_WITH(Pickle(data), Contains("too many values"));
  CHECK_THROWS_WITH(Pickle(bytes("\x80\x04") + std::string(Pickle::kMaxValues + 1, 'N')), Contains("too many values"));
  CHECK_THROWS_WITH(Pickle(std::string(Pickle::kMaxBytes + 1, 'N')), Contains("bytes"));
}

TEST_CASE("a pickle that contains itself is read and thrown away") {
  const Pickle pickle(bytes("\x80\x04]\x94h\0a."));
  CHECK(pickle.root().items.at(0) == &pickle.root());
}

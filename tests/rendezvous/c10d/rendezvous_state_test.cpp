#include "rendezvous/c10d/rendezvous_state.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "common/base64.hpp"
#include "common/pickle/pickle_writer.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const RendezvousTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 9h + 8min + 7s + 123456us;
const NodeDesc kFirst{"node1", 12, 0};
const NodeDesc kSecond{"node2.example.org", 70'000, 1};

RendezvousState some_state() {
  RendezvousState state;
  state.round = 3;
  state.deadline = kNow;
  state.participants = {{kFirst, 0}};
  state.wait_list = {kSecond};
  state.redundancy_list = {{"fe80::1", 1, 2}};
  state.last_heartbeats = {{kFirst, kNow}, {kSecond, kNow + 1s}};
  return state;
}

}  // namespace

TEST_CASE("a state that torch 2.15 has pickled is read") {
  // base64 of pickle.dumps of a _RendezvousState with round 3, deadline, one participant, one waiting node, two
  // heartbeats.
  const RendezvousState state = decode_rendezvous_state(
      "gASVnQEAAAAAAACMN3RvcmNoLmRpc3RyaWJ1dGVkLmVsYXN0aWMucmVuZGV6dm91cy5keW5hbWljX3JlbmRlenZvdXOUjBBfUmVu"
      "ZGV6dm91c1N0YXRllJOUKYGUfZQojAVyb3VuZJRLA4wIY29tcGxldGWUiYwIZGVhZGxpbmWUjAhkYXRldGltZZSMCGRhdGV0aW1l"
      "lJOUQwoH6gsYCQgHAeJAlGgIjAh0aW1lem9uZZSTlGgIjAl0aW1lZGVsdGGUk5RLAEsASwCHlFKUhZRSlIaUUpSMBmNsb3NlZJSJ"
      "jAxwYXJ0aWNpcGFudHOUfZRoAIwJX05vZGVEZXNjlJOUKYGUfZQojARhZGRylIwFbm9kZTGUjANwaWSUSwyMCGxvY2FsX2lklEsA"
      "dWJLAHOMCXdhaXRfbGlzdJSPlChoGimBlH2UKGgdjAVub2RlMpRoH0pwEQEAaCBLAXVikIwPcmVkdW5kYW5jeV9saXN0lI+UjA9s"
      "YXN0X2hlYXJ0YmVhdHOUfZQoaBtoFWgjaApDCgfqCxgJCAgB4kCUaBOGlFKUdXViLg==");
  RendezvousState expected;
  expected.round = 3;
  expected.deadline = kNow;
  expected.participants = {{{"node1", 12, 0}, 0}};
  expected.wait_list = {{"node2", 70'000, 1}};
  expected.last_heartbeats = {{{"node1", 12, 0}, kNow}, {{"node2", 70'000, 1}, kNow + 1s}};
  CHECK(state == expected);
}

TEST_CASE("a state comes back as it was written") {
  CHECK(decode_rendezvous_state(encode_rendezvous_state(some_state())) == some_state());
  CHECK(decode_rendezvous_state(encode_rendezvous_state({})) == RendezvousState());
  RendezvousState done = some_state();
  done.complete = done.closed = true;
  done.deadline.reset();
  CHECK(decode_rendezvous_state(encode_rendezvous_state(done)) == done);
}

TEST_CASE("every point in time comes back to the microsecond") {
  const RendezvousTime time = GENERATE(RendezvousTime(), kNow, kNow + 999'999us,
                                       RendezvousTime(std::chrono::sys_days(std::chrono::year(2400) / 2 / 29)));
  RendezvousState state;
  state.deadline = time;
  CHECK(decode_rendezvous_state(encode_rendezvous_state(state)).deadline == time);
}

TEST_CASE("nothing in the store is a new state") {
  CHECK(decode_rendezvous_state("") == RendezvousState());
  CHECK(decode_rendezvous_state(kNoRendezvousState) == RendezvousState());
}

TEST_CASE("the state of a thousand nodes has less than 100 bytes for each") {
  RendezvousState state;
  for (int i = 0; i < 1000; ++i) {
    const NodeDesc node{"node-" + std::to_string(i) + ".cluster.example.org", 1000 + i, 0};
    state.participants[node] = i;
    state.last_heartbeats[node] = kNow;
  }
  const std::string stored = encode_rendezvous_state(state);
  CHECK(stored.size() < 200'000);
  CHECK(decode_rendezvous_state(stored) == state);
}

TEST_CASE("nodes are ordered by address, then pid, then local id") {
  CHECK(NodeDesc{"a", 2, 0} < NodeDesc{"b", 1, 0});
  CHECK(NodeDesc{"a", 1, 9} < NodeDesc{"a", 2, 0});
  CHECK(NodeDesc{"a", 1, 0} < NodeDesc{"a", 1, 1});
  CHECK(NodeDesc{"node10", 1, 0} < NodeDesc{"node9", 1, 0});  // as Python compares strings
  CHECK(to_string(kFirst) == "node1_12_0");
}

TEST_CASE("what is no state is an error that says why") {
  const auto pickled = [](const auto& write) {
    PickleWriter out;
    write(out);
    return base64_encode(out.finish());
  };
  const auto object = [](PickleWriter& out, const std::string& module, const std::string& name) {
    out.type(module, name);
    out.tuple(0);
    out.new_object();
    out.empty_dict();
  };
  const std::string module = "torch.distributed.elastic.rendezvous.dynamic_rendezvous";
  CHECK_THROWS_WITH(decode_rendezvous_state("no base64!"), Contains("rendezvous state") && Contains("not base64"));
  CHECK_THROWS_WITH(decode_rendezvous_state(base64_encode("text")), Contains("does not begin as a pickle"));
  CHECK_THROWS_WITH(decode_rendezvous_state(pickled([](PickleWriter& out) { out.integer(7); })),
                    Contains("not of the right type"));
  CHECK_THROWS_WITH(decode_rendezvous_state(pickled([&](PickleWriter& out) {
                      out.type("posix", "system");
                      out.string("touch /tmp/pwned");
                      out.tuple(1);
                      out.reduce();
                    })),
                    Contains("is a posix.system, not a " + module));
  CHECK_THROWS_WITH(decode_rendezvous_state(pickled([&](PickleWriter& out) {
                      object(out, module, "_RendezvousState");
                      out.build();
                    })),
                    Contains("lacks attributes"));
  CHECK_THROWS_WITH(decode_rendezvous_state(pickled([&](PickleWriter& out) {
                      object(out, module, "_RendezvousState");
                      out.mark();
                      out.string("new_in_torch_3");
                      out.none();
                      out.set_items();
                      out.build();
                    })),
                    Contains("\"new_in_torch_3\", whose meaning is not known"));
  CHECK_THROWS_WITH(decode_rendezvous_state(pickled([&](PickleWriter& out) {
                      object(out, module, "_RendezvousState");
                      out.mark();
                      out.string("round");
                      out.string("three");
                      out.set_items();
                      out.build();
                    })),
                    Contains("round is not of the right type"));
}

TEST_CASE("a damaged state is an error, never a crash") {
  const std::string whole = *base64_decode(encode_rendezvous_state(some_state()));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char bits : {'\x01', '\x80', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ bits);
      try {
        (void)decode_rendezvous_state(base64_encode(damaged));
      } catch (const Error&) {}
    }
    CHECK_THROWS_AS(decode_rendezvous_state(base64_encode(whole.substr(0, at) + "\x80")), Error);
  }
}

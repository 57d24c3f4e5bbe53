#include "launcher/progress/node_clocks.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::progress;
using namespace std::chrono_literals;

namespace {

constexpr NodeTime kNoon{1'800'000'000'000ms};

/// The age of what a node tells at each look: `written` by its own clock, relative to noon.
struct LookedAtNode {
  std::chrono::milliseconds age(std::chrono::milliseconds written, std::chrono::milliseconds now) {
    std::map<std::int64_t, NodeSummary> nodes;
    nodes[7].written = kNoon + written;
    nodes[7].round = round;
    nodes[7].host = host;
    clocks.correct(nodes, kNoon + now);
    return kNoon + now - nodes[7].written;
  }
  NodeClocks clocks{};
  std::int64_t round = 0;
  std::string host = "node7";
};

}  // namespace

TEST_CASE("a clock that is behind is known once the node has told something new, and its age is that since then") {
  LookedAtNode node;
  CHECK(node.age(-1h, 0s) == 1h);  // it may have been silent for so long
  CHECK(node.age(-1h, 5s) == 1h + 5s);
  CHECK(node.age(-1h + 10s, 12s) == 2s - 0s);
  CHECK(node.age(-1h + 10s, 40s) == 30s);
  CHECK(node.age(-1h + 41s, 42s) == 1s);
}

TEST_CASE("a clock that is ahead is known at once, and what tells nothing more grows old") {
  LookedAtNode node;
  CHECK(node.age(1h, 0s) == 0s);
  CHECK(node.age(1h, 20s) == 20s);
  CHECK(node.age(1h + 20s, 21s) == 1s);
}

TEST_CASE("a right clock is believed, also of a node that was seen late, and after it was set") {
  LookedAtNode node;
  CHECK(node.age(-3s, 0s) == 3s);
  CHECK(node.age(10s, 50s) == 40s);  // it told something after the last look, and is silent since
  CHECK(node.age(-10s, 0s) == 10s);
  for (int look = 1; look <= 3; ++look) { node.age(1h + look * 1s, look * 1s); }
  CHECK(node.age(1h + 4s, 4s) == 0s);
  for (int look = 5; look <= 8; ++look) { node.age(look * 1s, look * 1s); }
  CHECK(node.age(9s, 9s) == 0s);
}

TEST_CASE("a clock is that of a host in a round, and nothing is known of the next one's") {
  for (const bool other_host : {true, false}) {
    LookedAtNode node;
    CHECK(node.age(1h, 0s) == 0s);
    if (other_host) {
      node.host = "node8";
    } else {
      node.round = 1;
    }
    CHECK(node.age(1h + 7s, 1h + 20s) == 13s);  // by a clock that is an hour ahead it would be an hour older
  }
}

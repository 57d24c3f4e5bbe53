#include "launcher/progress/node_summary.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <utility>

#include "launcher/progress/job_event.hpp"

using namespace mdl::launcher::progress;
using namespace std::chrono_literals;

namespace {

RankSummary busy_rank(int i) {
  RankSummary rank;
  rank.step = 12'345 + i;
  rank.total = 100'000;
  rank.loss = 2.0 / (i + 3);
  rank.samples = 98'760 + i;
  rank.samples_per_s = 41.0 / (i + 1);
  rank.steps_per_s = 5.0 / 3;
  rank.own = 0.4 + 0.1 / (i + 1);
  rank.waiting = 0.2 / (i + 1);
  rank.age = rank.step_age = 0.123456789 + 0.012 * i;
  rank.longest_step = 0.7654321 + 0.0123 * i;
  rank.own_lately = 0.41234567 + 0.0123 * i;
  rank.own_step = rank.step;
  rank.made_step = true;
  return rank;
}

NodeSummary node_of(int ranks) {
  NodeSummary node;
  node.round = 2;
  node.group_rank = 124;
  node.written = NodeTime(1'764'420'000'123ms);
  node.host = "gpu-node-124";
  node.first_rank = 992;
  for (int i = 0; i < ranks; ++i) { node.ranks.push_back(busy_rank(i)); }
  return node;
}

/// Of four ranks, of which this is told; -1: not known.
std::vector<std::int64_t> steps_of(const std::string& column) {
  const auto node = node_summary_from_text(R"([2,0,0,0,"h",0,4,[)" + column + "]]");
  REQUIRE((node && node->ranks.size() == 4));
  std::vector<std::int64_t> steps;
  for (const RankSummary& rank : node->ranks) { steps.push_back(rank.step.value_or(-1)); }
  return steps;
}

}  // namespace

TEST_CASE("a node's summary comes back from the store as it was, to the digits that are told") {
  NodeSummary node = node_of(3);
  node.ranks[1] = RankSummary();
  node.ranks[0].pid = 4'194'304;
  node.ranks[2].pid = 4711;
  node.ranks[2].section = "evaluation";
  node.ranks[2].section_seconds = 123.456789;
  node.ranks[2].section_age = 1.5;
  node.ranks[2].section_left_age = 2.5;
  node.ranks[2].ended = true;
  node.ranks[2].dropped = 5;
  node.ranks[2].loss = -INFINITY;
  node.ranks[2].eval_loss = 1.25;
  node.ranks[2].eval_step = 12'000;
  node.ranks[2].learning_rate = 1e-5;
  node.ranks[2].grad_norm = INFINITY;
  node.ranks[2].gpu = "84 °C, 1200 of 1980 MHz, slowed down by heat (the hardware)";
  const auto read = node_summary_from_text(to_text(node));
  REQUIRE(read);
  CHECK((read->round == 2 && read->group_rank == 124 && read->written == node.written));
  CHECK((read->host == "gpu-node-124" && read->first_rank == 992));
  REQUIRE(read->ranks.size() == 3);
  CHECK((read->ranks[0].step == 12'345 && read->ranks[0].total == 100'000 && read->ranks[0].samples == 98'760));
  CHECK(read->ranks[0].loss == Approx(2.0 / 3).epsilon(1e-5));
  CHECK(read->ranks[0].age == 0.1235);
  CHECK(read->ranks[1] == RankSummary());
  CHECK((read->ranks[0].pid == 4'194'304 && read->ranks[2].pid == 4711));
  CHECK((read->ranks[2].section == "evaluation" && read->ranks[2].section_age == 1.5 && read->ranks[2].dropped == 5));
  CHECK((read->ranks[2].section_left_age == 2.5 && read->ranks[2].ended));
  CHECK((read->ranks[0].longest_step == 0.7654 && read->ranks[2].section_seconds == 123.457));
  CHECK((read->ranks[0].own_lately == 0.4123 && read->ranks[0].own_step == 12'345 && read->ranks[0].made_step));
  CHECK(read->ranks[2].loss == -INFINITY);
  CHECK((read->ranks[2].eval_loss == 1.25 && read->ranks[2].eval_step == 12'000));
  CHECK((read->ranks[2].learning_rate == 1e-5 && read->ranks[2].grad_norm == INFINITY));
  CHECK(read->ranks[2].gpu == node.ranks[2].gpu);
  node.ranks[0].loss = 1e300;
  node.ranks[0].own = 0;
  CHECK(node_summary_from_text(to_text(node))->ranks[0].loss == 1e300);
  CHECK(node_summary_from_text(to_text(node))->ranks[0].own == 0.0);
  node.ranks[0].loss = NAN;
  CHECK(std::isnan(*node_summary_from_text(to_text(node))->ranks[0].loss));
}

TEST_CASE("what all ranks of a node have is told once, and each rank's own beside") {
  NodeSummary node = node_of(3);
  for (std::size_t i = 0; i < 3; ++i) {
    RankSummary& rank = node.ranks[i] = RankSummary();
    rank.step = i == 2 ? 6 : 9;
    rank.total = 100;
    rank.loss = 0.5;
    if (i == 1) { rank.samples = 24; }
    rank.section = "evaluation";
  }
  CHECK(to_text(node) ==
        R"([2,2,124,1764420000123,"gpu-node-124",992,3,[[9,0,-3],100,0.5,[null,24],[],[],[],[],[],[],[],[],[],[],[],)"
        R"([],[],[],[],[],"evaluation"]])");
  CHECK(node_summary_from_text(to_text(node)) == node);
  CHECK(node_summary_from_text(to_text(node_of(0))) == node_of(0));
}

TEST_CASE("a node's summary takes less than 100 bytes a rank, and little for one that says nothing") {
  NodeSummary busy = node_of(8);
  for (std::size_t i = 0; i < 8; ++i) { busy.ranks[i].pid = 4'194'296 + static_cast<std::int64_t>(i); }
  CHECK(to_text(busy).size() < 8 * 80);
  for (RankSummary& rank : busy.ranks) {
    rank.learning_rate = 9.87654e-5;
    rank.grad_norm = 1.23456;
    rank.eval_loss = 2.34567;
    rank.eval_step = 12'000;
  }
  CHECK(to_text(busy).size() < 8 * 100);
  NodeSummary one = busy;
  one.ranks.resize(1);
  CHECK(to_text(one).size() < 200);
  NodeSummary silent = node_of(0);
  silent.ranks.resize(8);
  CHECK(to_text(silent).size() < 80);
}

TEST_CASE("what others have put where a node's summary belongs is made printable, or is none") {
  const auto read = node_summary_from_text(
      R"([2,0,0,1000,"h\u001b[2J",0,1,[-1,"x",[],1.5,-3,"NaN",{},null,1,2,-1,0,"x",-5,2147483649,[],[],[],1e9,"a\u001bb",)"
      R"(["a\u001bb"],[4,5],5,"y",-1,[-7],false,7],"later"])");
  REQUIRE(read);
  CHECK(read->host == "h");
  REQUIRE(read->ranks.size() == 1);
  const RankSummary& rank = read->ranks[0];
  CHECK_FALSE((rank.step || rank.total || rank.loss || rank.samples || rank.samples_per_s || rank.steps_per_s));
  CHECK_FALSE((rank.own || rank.waiting || rank.longest_step || rank.made_step || rank.own_lately || rank.own_step));
  CHECK_FALSE((rank.pid || rank.eval_step || rank.section_left_age || rank.dropped || rank.wrong || rank.ended));
  CHECK((rank.age == 1.0 && rank.step_age == 2.0 && rank.gpu == "ab" && rank.section == "ab"));
  CHECK((rank.section_seconds == 4.0 && rank.section_age == 5.0));
  for (const char* wrong :
       {"", "{}", "[]", "[2,0,0,0,\"h\",0,0]", R"([1,0,0,0,"h",0,0,[]])", R"([2,-1,0,0,"h",0,0,[]])",
        R"([2,0,0,0,7,0,0,[]])", R"([2,0,0,0,"h",0,-1,[]])", R"([2,0,0,0,"h",0,1.5,[]])", R"([2,0,0,0,"h",0,0,{}])",
        R"([2,0,"x",0,"h",0,0,[]])", R"([2,0,0,-1,"h",0,0,[]])", R"([2,0,0,0,"h",1.5,0,[]])",
        R"([2,0,0,0,"h",9007199254740993,0,[]])", R"([2,0,0,9223372036854775808,"h",0,0,[]])"}) {
    CAPTURE(wrong);
    CHECK_FALSE(node_summary_from_text(wrong));
  }
  const std::int64_t largest_count = std::int64_t{1} << 53;
  CHECK(steps_of("7") == std::vector<std::int64_t>{7, 7, 7, 7});
  CHECK(steps_of("[7,-2,null]") == std::vector<std::int64_t>{7, 5, -1, -1});
  CHECK(steps_of("[7,-8,1,0,0,0]") == std::vector<std::int64_t>{7, -1, 8, 8});
  CHECK(steps_of(R"([1.5,"1",[],{}])") == std::vector<std::int64_t>{-1, -1, -1, -1});
  CHECK(steps_of("[9007199254740992,1,9223372036854775807,18446744073709551615]") ==
        std::vector<std::int64_t>{largest_count, -1, -1, -1});
  CHECK(node_summary_from_text(R"([2,0,0,0,"h",9007199254740992,4096,[]])")->ranks.size() == kMostRanksOfNode);
  CHECK_FALSE(node_summary_from_text(R"([2,0,0,0,"h",0,4097,[]])"));
  // As long as a text may be, of what is not shown: looked at once, not once for each rank, which would take minutes.
  const std::string endless = "\"" + std::string(4'000'000, '\x7f') + "x\"";
  const auto alike =
      node_summary_from_text(R"([2,0,0,0,"h",0,4096,[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],)"
                             R"([],[],)" +
                             endless + "]]");
  CHECK((alike && alike->ranks.front().gpu == "x" && alike->ranks.back().gpu == "x"));
  const std::string whole = R"([2,0,0,0,"h",0,0,[]])";
  const std::size_t largest = 4 * 1024 * 1024;
  CHECK(node_summary_from_text(whole + std::string(largest - whole.size(), ' ')));
  CHECK_FALSE(node_summary_from_text(whole + std::string(largest - whole.size() + 1, ' ')));
}

TEST_CASE("rates of a node that tells nothing more end half a minute after the last step, or after twice a long one") {
  NodeSummary node = node_of(2);
  node.ranks[1].steps_per_s = 0.025;
  NodeSummary later = node;
  end_rates(later, node.written + 29s);
  CHECK(later == node);
  end_rates(later, node.written + 30s);
  CHECK((later.ranks[0].steps_per_s == 0.0 && later.ranks[0].samples_per_s == 0.0 && later.ranks[0].own == 0.5));
  CHECK(later.ranks[1].steps_per_s == 0.025);
  end_rates(later, node.written + 80s);
  CHECK((later.ranks[1].steps_per_s == 0.0 && later.ranks[1].samples_per_s == 0.0));
  NodeSummary falling = node_of(1);  // it has not made a step for long
  falling.ranks[0].step_age = 28;
  end_rates(falling, falling.written + 2s);
  CHECK(falling.ranks[0].steps_per_s == 0.0);
}

TEST_CASE("texts and times of a rank that others have put there are bounded as a worker's own are") {
  NodeSummary node = node_of(1);
  node.ranks[0].section.assign(500, 'x');
  node.ranks[0].gpu.assign(500, 'y');
  node.ranks[0].section_age = 1e300;
  node.ranks[0].steps_per_s = 1e16;
  node.ranks[0].samples_per_s = 1e9;
  const auto read = node_summary_from_text(to_text(node));
  REQUIRE(read);
  const RankSummary& rank = read->ranks.at(0);
  CHECK((rank.section == std::string(64, 'x') && rank.gpu == std::string(128, 'y')));
  CHECK_FALSE((rank.section_age || rank.steps_per_s));
  CHECK(rank.samples_per_s == 1e9);
}

TEST_CASE("an event comes back from the store as it was, printable and cut") {
  JobEvent event{7, NodeTime(1'764'420'000'123ms), "node1", "restart", "rank 3 failed with exit code 3"};
  CHECK(job_event_from_text(to_text(event)) == event);
  event.kind = kHangKind;
  event.hang = HangFacts{NodeTime(1'764'420'000'000ms), {3, 5}, 2, {}};
  CHECK(job_event_from_text(to_text(event)) == event);
  event.hang->step = 118;
  CHECK(job_event_from_text(to_text(event)) == event);
  event.hang->ranks.resize(1000, 7);
  CHECK(job_event_from_text(to_text(event))->hang->ranks.size() == kMostNamedRanks);
  event.text = "a\x1b[2J\n" + std::string(1000, 'x') + "\xff";
  const auto read = job_event_from_text(to_text(event));
  REQUIRE(read);
  CHECK(read->text == "a " + std::string(kLongestEventText - 2, 'x'));
  for (const char* wrong :
       {"", "[]", "{}", R"([2,7,1,"h","k","t"])", R"([1,-7,1,"h","k","t"])", R"([1,7,"1","h","k","t"])",
        R"([1,7,1,"h","k",[]])", R"([1,7,1,"h",7,"t"])", R"([1,7,1,null,"k","t"])", R"([1,7,1,"h","k"])",
        R"([1,4611686018427387904,1,"h","k","t"])", R"([1,7,18446744073709551615,"h","k","t"])"}) {
    CAPTURE(wrong);
    CHECK_FALSE(job_event_from_text(wrong));
  }
  for (const char* other :
       {"7", "[]", "{}", R"({"since":-1,"ranks":[],"round":0})", R"({"since":1,"ranks":7,"round":0})",
        R"({"ranks":[],"round":0})", R"({"since":1,"ranks":[],"round":-1})", R"({"since":1,"ranks":[]})"}) {
    CAPTURE(other);
    const auto later = job_event_from_text(R"([1,7,1,"h","hang","t",)" + std::string(other) + "]");
    CHECK((later && !later->hang && !later->slow));
  }
  const JobEvent slow{8, NodeTime(1ms), "node1", "straggler", "2 ranks are slow", {}, SlowFacts{2, {3, 5}}};
  CHECK(job_event_from_text(to_text(slow)) == slow);
  const auto odd = job_event_from_text(R"([1,7,1,"h","hang","t",{"since":1,"ranks":[-1,"x",3],"round":2,"step":"x"}])");
  CHECK((odd && odd->hang == HangFacts{NodeTime(1ms), {3}, 2, {}} && !odd->slow));
  CHECK_FALSE(job_event_from_text(R"([1,7,1,"h","k","t",{"since":1,"ranks":[3],"round":2}])")->hang);
  const std::string latest = R"([1,4611686018427387903,4611686018427387903,"h","k","t"])";
  CHECK(job_event_from_text(latest)->at == NodeTime(std::chrono::milliseconds(std::int64_t{1} << 43)));
  CHECK(job_event_from_text(latest + std::string(16 * 1024 - latest.size(), ' ')));
  CHECK_FALSE(job_event_from_text(latest + std::string(16 * 1024 - latest.size() + 1, ' ')));
}

TEST_CASE("whether a rank is slow is what was said of it last in a round") {
  const auto event = [](const char* kind, std::int64_t round, std::vector<std::int64_t> ranks) {
    return JobEvent{1, NodeTime(1ms), "h", kind, "t", {}, SlowFacts{round, std::move(ranks)}};
  };
  const std::vector<JobEvent> events{event("straggler", 1, {9}), event("straggler", 2, {3, 5}),
                                     event("recovered", 2, {3}), JobEvent{2, NodeTime(1ms), "h", "round", "t", {}, {}}};
  CHECK(told_slow(events, 2) == std::map<std::int64_t, bool>{{3, false}, {5, true}});
}

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "launcher/doctor/check_classes.hpp"

using namespace mdl;
using namespace mdl::launcher::doctor;
using Catch::Contains;
using Level = Finding::Level;
using launcher::doctor_deep::RankHealth;

namespace {

constexpr std::int64_t kTeraUnit = 1'000'000'000'000;

RankHealth healthy_rank(int rank, int local_rank) {
  RankHealth health;
  health.rank = rank;
  health.local_rank = local_rank;
  health.on_gpu = true;
  health.type = "bfloat16";
  health.matrix_product.value = 180 * kTeraUnit;
  health.memory_copy.value = 4 * kTeraUnit;
  health.node_all_reduce.value = kTeraUnit / 2;
  health.node_latency.value = 14'000;
  health.all_reduce.value = kTeraUnit / 10;
  health.latency.value = 30'000;
  health.free_memory.value = kTeraUnit / 8;
  health.uncorrected_errors.value = health.corrected_errors.value = health.pending_rows.value = 0;
  health.xid_errors.value = health.last_xid.value = 0;
  return health;
}

NodeFacts healthy_node(const std::string& host, int first_rank) {
  NodeFacts node;
  node.host = host;
  node.deep_ranks = 2;
  node.health.ranks = {healthy_rank(first_rank, 0), healthy_rank(first_rank + 1, 1)};
  node.health.ranks[0].disk_write.value = 412'000'000;
  return node;
}

/// What is said of two healthy nodes, after one thing was spoilt.
std::vector<Finding> findings_after(const std::function<void(std::vector<NodeFacts>&)>& spoil) {
  std::vector<NodeFacts> nodes{healthy_node("node1", 0), healthy_node("node2", 2)};
  spoil(nodes);
  std::vector<Finding> findings;
  DeepChecks(nodes, findings).all();
  return findings;
}

std::vector<Finding> not_ok(const std::vector<Finding>& findings) {
  std::vector<Finding> found;
  std::copy_if(findings.begin(), findings.end(), std::back_inserter(found),
               [](const Finding& finding) { return finding.level != Level::ok; });
  return found;
}

std::string text_of_check(const std::vector<Finding>& findings, const std::string& check) {
  for (const Finding& finding : findings) {
    if (finding.check == check) { return finding.text; }
  }
  return "";
}

}  // namespace

TEST_CASE("nodes that are alike are told with a line for each part") {
  const auto findings =
      findings_after([](auto& nodes) { nodes[1].health.ranks[1].matrix_product.value = 171 * kTeraUnit; });
  CHECK(not_ok(findings).empty());
  CHECK(text_of_check(findings, "matrix product") == "171 to 180 TFLOP/s in bfloat16 on 4 GPUs");
  CHECK(text_of_check(findings, "memory copy") == "4 TB/s on 4 GPUs");
  CHECK(text_of_check(findings, "all-reduce in the node") == "500 GB/s on 4 GPUs");
  CHECK(text_of_check(findings, "all-reduce between nodes") == "100 GB/s of bus bandwidth, 30 µs for a few bytes");
  CHECK(text_of_check(findings, "disk") == "412 MB/s on 2 GPUs");
  CHECK(text_of_check(findings, "GPU errors") == "no uncorrected ECC error and no Xid error");
}

TEST_CASE("a slow node is named, and a slow GPU of a node") {
  const auto node = not_ok(findings_after([](auto& nodes) {
    for (RankHealth& rank : nodes[1].health.ranks) { rank.matrix_product.value = 110 * kTeraUnit; }
    nodes.push_back(healthy_node("node3", 4));
  }));
  REQUIRE(node.size() == 1);
  CHECK(node[0].level == Level::warning);
  CHECK(node[0].check == "matrix product");
  CHECK(node[0].node == "node2");
  CHECK(node[0].text == "61 % of the median: 110 of 180 TFLOP/s");
  CHECK_FALSE(node[0].advice.empty());
  const auto gpu = not_ok(findings_after([](auto& nodes) { nodes[0].health.ranks[1].memory_copy.value = kTeraUnit; }));
  REQUIRE(gpu.size() == 1);
  CHECK(gpu[0].node == "node1");
  CHECK(gpu[0].text == "GPU 1: 25 % of the median: 1 of 4 TB/s");
}

TEST_CASE("what was not measured is told with the reason, once for all GPUs of a node") {
  const auto findings = not_ok(findings_after([](auto& nodes) {
    for (RankHealth& rank : nodes[0].health.ranks) { rank.all_reduce = {std::nullopt, "rank 3 is gone"}; }
    nodes[1].health.problem = "mdl-toolkit is not there";
    nodes[1].health.advice = "Install it.";
    nodes[1].health.ranks.clear();
    nodes.push_back(healthy_node("node3", 4));
    nodes[2].health = {};
  }));
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].text == "not measured: rank 3 is gone");
  CHECK(findings[0].check == "all-reduce between nodes");
  CHECK(findings[1].text == "not measured: mdl-toolkit is not there");
  CHECK(findings[1].advice == "Install it.");
  CHECK_THAT(findings[2].advice, Contains("--deep"));
  for (const Finding& finding : findings) { CHECK_FALSE(finding.advice.empty()); }
}

TEST_CASE("doctors that were not all started with --deep are told apart, wherever it is read") {
  const auto without_deep = [](NodeFacts& node) {
    node.health = {};
    node.deep_ranks = -1;
  };
  // The first node measures with those that can.
  const auto second = not_ok(findings_after([&](auto& nodes) { without_deep(nodes[1]); }));
  REQUIRE(second.size() == 1);
  CHECK(second[0].node == "node2");
  CHECK(second[0].text == "not measured: node1 asked for --deep, and the doctor of this node was started without it");
  CHECK(second[0].advice == "Start `mdl-launch doctor --deep …` on all nodes, on node2 as well.");
  // Without the first one nobody does.
  const auto first = not_ok(findings_after([&](auto& nodes) {
    nodes.push_back(healthy_node("node3", 4));
    without_deep(nodes[0]);
    nodes[1].health = nodes[2].health = {};
  }));
  REQUIRE(first.size() == 3);
  CHECK(first[0].node == "node1");
  CHECK(first[0].text ==
        "not measured: node2 and 1 more node asked for --deep, and the doctor of this node was "
        "started without it");
  CHECK(first[2].node == "node3");
  CHECK(first[2].text == "not measured: the doctor of node1, which has the nodes measure, was started without --deep");
  CHECK(first[2].advice == "Start `mdl-launch doctor --deep …` on all nodes, on node1 as well.");
}

TEST_CASE("errors that a GPU has counted are named with it") {
  const auto findings = not_ok(findings_after([](auto& nodes) {
    nodes[0].health.ranks[1].uncorrected_errors.value = 2;
    nodes[0].health.ranks[1].pending_rows.value = 1;
    nodes[1].health.ranks[0].xid_errors.value = 3;
    nodes[1].health.ranks[0].last_xid.value = 79;
  }));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].node == "node1");
  CHECK(findings[0].text == "GPU 1: 2 uncorrected ECC errors, memory to be replaced");
  CHECK(findings[1].node == "node2");
  CHECK(findings[1].text == "GPU 0: 3 Xid errors, the last one 79");
}

TEST_CASE("without --deep nothing is said of it") {
  CHECK(findings_after([](auto& nodes) {
          for (NodeFacts& node : nodes) {
            node.health = {};
            node.deep_ranks = -1;
          }
        }).empty());
}

TEST_CASE("numbers from the network that make no sense are told without harm") {
  const auto findings = findings_after([](auto& nodes) {
    for (NodeFacts& node : nodes) {
      for (RankHealth& rank : node.health.ranks) {
        rank.matrix_product.value = 0;
        rank.memory_copy.value = std::int64_t{1} << 53;
        rank.type = std::string(100, 'x');
      }
    }
  });
  CHECK(text_of_check(findings, "memory copy") == "9.01 PB/s on 4 GPUs");
}

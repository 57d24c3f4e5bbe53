#include "launcher/hang/evidence.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <vector>

#include "launcher/hang/evidence_board.hpp"

using namespace mdl::launcher;
using namespace mdl::launcher::hang;

namespace {

NodeEvidence full_evidence(std::size_t ranks) {
  NodeEvidence node;
  node.request = 7;
  node.group_rank = 1;
  node.host = "gpu-node-1";
  node.first_rank = 8;
  node.seconds = 1.25;
  node.ranks.resize(ranks);
  for (RankEvidence& rank : node.ranks) {
    rank.end = "exit code 0";
    rank.processes.resize(kMostProcesses);
    for (std::size_t i = 0; i < kMostProcesses; ++i) {
      rank.processes[i] = {123'456, "pt_data_worker", 'S', 0.25, "futex_wait_queue", 48, 0.5};
    }
    rank.process_count = 40;
    rank.record.emplace();
    rank.record->version = "2.10";
    rank.traceback = {"Thread 0x1 (most recent call first):", "  File x.py, line 3 in wait"};
    rank.cpu = 3.5;
    rank.queued = 2.5;
    rank.store_seen = true;
    rank.store_sockets.assign(kMostStoreSockets, "[fe80::1234:5678:9abc]:60123");
  }
  return node;
}

}  // namespace

TEST_CASE("a node's evidence comes back from the store as it was") {
  const NodeEvidence node = full_evidence(2);
  CHECK(node_evidence_from_text(to_text(node)) == node);
  CHECK(node_evidence_from_text(to_text(NodeEvidence())) == NodeEvidence());
}

TEST_CASE("a node's evidence takes at most 8 KiB a rank, whatever its processes are called") {
  NodeEvidence node = full_evidence(8);
  CHECK(to_text(node).size() <= 8 * 1024 + 256);
  for (RankEvidence& rank : node.ranks) {
    rank.end.assign(5000, 'x');
    rank.processes.resize(50);
    rank.store_sockets.resize(500, std::string(500, '1'));
    rank.traceback.resize(500, std::string(500, '"'));
    for (int i = 0; i < 64; ++i) {
      rank.record->groups.resize(1);
      flight::FlightEntry entry;
      entry.sequence = i;
      entry.operation = entry.input_sizes = std::string(40, 'x');
      rank.record->groups[0].entries.push_back(entry);
    }
    for (ProcessEvidence& process : rank.processes) { process.name = process.kernel_place = std::string(500, '\\'); }
  }
  CHECK(to_text(node).size() <= 8 * 8192);
}

TEST_CASE("what others have put where a node's evidence belongs is made printable, or is none") {
  const auto read = node_evidence_from_text(
      R"({"version":1,"request":-1,"node":3,"host":"h\u001b[2J","first":1e300,"seconds":-5,"later":[[]],
          "ranks":[{"end":"a\u0007b","cpu":1e30,"count":"x","processes":[7,{"pid":-1,"name":[],"state":"TTT","cpu":2}],
                    "store":["\u001b[1mx",7],"record":"x","traceback":{}}]})");
  REQUIRE(read);
  CHECK((read->request == 0 && read->group_rank == 3 && read->host == "h" && read->first_rank == 0));
  const RankEvidence& rank = read->ranks.at(0);
  CHECK((rank.end == "ab" && rank.cpu == 0 && rank.process_count == 0 && rank.store_sockets.at(0) == "x"));
  CHECK((!rank.record && rank.traceback.empty()));
  CHECK((rank.processes.size() == 1 && rank.processes[0].pid == 0 && rank.processes[0].state == 'T'));
  CHECK((read->seconds == 0 && rank.processes[0].cpu == 2));
  const std::string deep(1'000'000, '[');
  for (const std::string& wrong :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"version":2,"ranks":[]})"),
        std::string(R"({"version":1})"), std::string(R"({"version":1,"ranks":[7]})"),
        R"({"version":)" + deep + std::string(1'000'000, ']') + "}"}) {
    CHECK_FALSE(node_evidence_from_text(wrong));
  }
}

TEST_CASE(
    "whatever stands in place of a part of a node's evidence, or where one is missing, the rest is read, in bounds") {
  NodeEvidence node = full_evidence(1);
  const nlohmann::json whole = nlohmann::json::parse(to_text(node));
  const std::vector<nlohmann::json> values = {
      nullptr, true, 7, -1, 0.5, 1e300, "x", nlohmann::json::array(), {{"k", 1}}, {nullptr, 7, "x", {{"k", 1}}}};
  const auto read_with = [&](const nlohmann::json::json_pointer& place) {
    nlohmann::json less = whole;
    less.at(place.parent_pointer()).erase(place.back());
    static_cast<void>(node_evidence_from_text(less.dump()));
    int read = 0;
    for (const nlohmann::json& value : values) {
      nlohmann::json other = whole;
      other.at(place) = value;
      const auto evidence = node_evidence_from_text(other.dump());
      if (!evidence) { continue; }
      ++read;
      CHECK(to_text(*evidence).size() <= 8192);
    }
    return read;
  };
  for (const auto& [key, value] : whole.items()) {
    CAPTURE(key);
    const int least = key == "version" ? 0 : key == "ranks" ? 1 : 10;
    CHECK(read_with(nlohmann::json::json_pointer("/" + key)) == least);
  }
  for (const auto& [key, value] : whole["ranks"][0].items()) {
    CAPTURE(key);
    CHECK(read_with(nlohmann::json::json_pointer("/ranks/0/" + key)) == 10);
  }
  for (const auto& [key, value] : whole["ranks"][0]["processes"][0].items()) {
    CAPTURE(key);
    CHECK(read_with(nlohmann::json::json_pointer("/ranks/0/processes/0/" + key)) == 10);
  }
  const auto bare = node_evidence_from_text(R"({"version":1,"ranks":[{"processes":[{}]}]})");
  REQUIRE(bare);
  CHECK(bare->ranks.at(0).processes.at(0) == ProcessEvidence{0, "", '?', 0, "", 0});
}

TEST_CASE("of a node's evidence no more is read, nor told, than its limits allow") {
  NodeEvidence node = full_evidence(1);
  nlohmann::json object = nlohmann::json::parse(to_text(node));
  nlohmann::json& rank = object["ranks"][0];
  const nlohmann::json process = rank["processes"][0];
  for (int i = 0; i < 50; ++i) {
    rank["processes"].push_back(process);
    rank["store"].push_back("x");
    rank["traceback"].push_back("x");
  }
  auto read = node_evidence_from_text(object.dump());
  REQUIRE(read);
  CHECK(read->ranks[0].processes.size() == kMostProcesses);
  CHECK(read->ranks[0].store_sockets.size() == kMostStoreSockets);
  CHECK(read->ranks[0].traceback.size() == kMostTracebackLines);
  node.ranks.assign(4096, RankEvidence());
  CHECK(node_evidence_from_text(to_text(node))->ranks.size() == 4096);
  node.ranks.emplace_back();
  object = nlohmann::json::parse(to_text(node));
  CHECK(object["ranks"].size() == 4096);
  object["ranks"].push_back(object["ranks"][0]);
  CHECK_FALSE(node_evidence_from_text(object.dump()));
  const std::string small = to_text(NodeEvidence());
  CHECK(node_evidence_from_text(small + std::string(8 * 1024 * 1024 - small.size(), ' ')));
  CHECK_FALSE(node_evidence_from_text(small + std::string(8 * 1024 * 1024 - small.size() + 1, ' ')));
}

TEST_CASE("a request for evidence comes back from the store as it was, and nothing else is one") {
  EvidenceRequest request;
  request.number = 12;
  request.round = 3;
  CHECK(evidence_request_from_text(to_text(request)) == request);
  for (const char* wrong : {"", "[]", "{}", "[2,1,1]", "[1,-1,1]", "[1,1]", "[1,1,\"x\"]", "[1,1e3,1]",
                            "[1,4611686018427387904,1]", "[1,1,18446744073709551615]"}) {
    CAPTURE(wrong);
    CHECK_FALSE(evidence_request_from_text(wrong));
  }
  CHECK(evidence_request_from_text("[1,4611686018427387903,1,\"later\"]"));
  CHECK(evidence_request_from_text("[1,1,1]" + std::string(1017, ' ')));
  CHECK_FALSE(evidence_request_from_text("[1,1,1]" + std::string(1018, ' ')));
}

TEST_CASE("of a worker's processes the state counts that says most") {
  RankEvidence rank;
  CHECK(state_of(rank) == '?');
  rank.processes.resize(3);
  rank.processes[0].state = 'S';
  rank.processes[1].state = 'R';
  rank.processes[2].state = 'X';
  CHECK(state_of(rank) == 'R');
  rank.processes[2].state = 'D';
  CHECK(state_of(rank) == 'D');
  rank.processes[0].state = 'T';
  CHECK(telling_process(rank) == &rank.processes[0]);
}

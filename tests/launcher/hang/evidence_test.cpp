#include "launcher/hang/evidence.hpp"

#include <catch2/catch.hpp>

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
      rank.processes[i] = {123'456, "pt_data_worker", 'S', 0.25, "futex_wait_queue", 48};
    }
    rank.process_count = 40;
    rank.record.emplace();
    rank.record->version = "2.10";
    rank.traceback = {"Thread 0x1 (most recent call first):", "  File x.py, line 3 in wait"};
    rank.cpu = 3.5;
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

TEST_CASE("a request for evidence comes back from the store as it was, and nothing else is one") {
  EvidenceRequest request;
  request.number = 12;
  request.round = 3;
  CHECK(evidence_request_from_text(to_text(request)) == request);
  for (const char* wrong : {"", "[]", "{}", "[2,1,1]", "[1,-1,1]", "[1,1]", "[1,1,\"x\"]", "[1,1e3,1]"}) {
    CAPTURE(wrong);
    CHECK_FALSE(evidence_request_from_text(wrong));
  }
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

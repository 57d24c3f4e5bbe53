#include "launcher/status/text_table.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "common/log.hpp"
#include "launcher/status/status_text.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using Catch::Contains;
using namespace std::chrono_literals;

namespace {

TextTable small_table() {
  TextTable table({{"node", true}, {"address", false, 2, 4}, {"pid", true, 1}, {"step"}});
  table.add({"0", "gpu-node-0.example", "4711", "118"}, "evaluation");
  table.add({"12", "gpü", "-", "no data"});
  return table;
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) { longest = std::max(longest, log::columns_of(line)); }
  return longest;
}

}  // namespace

TEST_CASE("columns of a table are as wide as what stands in them") {
  CHECK(small_table().text(std::string::npos) ==
        "  node  address              pid  step\n"
        "     0  gpu-node-0.example  4711  118  evaluation\n"
        "    12  gpü                    -  no data\n");
}

TEST_CASE("without room the least useful columns go, others are cut, and notes stand below") {
  CHECK(small_table().text(40) ==
        "  node  address             step\n"
        "     0  gpu-node-0.example  118\n"
        "         evaluation\n"
        "    12  gpü                 no data\n");
  CHECK(small_table().text(21) ==
        "  node  addr  step\n"
        "     0  gpu-  118\n"
        "         evaluation\n"
        "    12  gpü   no data\n");
  CHECK(small_table().text(1) == small_table().text(21));
}

TEST_CASE("a column in which nothing stands goes before all others") {
  TextTable table({{"node"}, {"address", false, 1}, {"pid", true, 2}});
  table.add({"0", "node0", "-"});
  CHECK(table.text(15) == "  node  address\n  0     node0\n");
}

TEST_CASE("the status of a job on 80 columns has heartbeats, steps, speed, own time and waiting of its nodes") {
  using namespace mdl::rendezvous::c10d;
  const RendezvousTime now{std::chrono::seconds(1'700'000'000)};
  JobStatus job;
  job.run_id = "j";
  RendezvousState round;
  round.complete = true;
  for (int node = 0; node < 2; ++node) {
    const NodeDesc description{"gpu-node-" + std::to_string(node) + ".cluster.example.org", 4'194'000, 0};
    round.participants[description] = node;
    round.last_heartbeats[description] = now - 1200ms;
    job.workers[node] = {"default", node, 8};
    progress::NodeSummary& told = job.progress[node];
    told.written = std::chrono::floor<std::chrono::milliseconds>(now);
    told.first_rank = 8 * node;
    told.ranks.resize(8);
    for (int i = 0; i < 8; ++i) {
      progress::RankSummary& rank = told.ranks[static_cast<std::size_t>(i)];
      rank.step = 118 + i % 3;
      rank.samples_per_s = 20.6;
      rank.own = 0.69 + 0.01 * i;
      rank.waiting = 0.01 + 0.01 * i;
      rank.pid = 4712 + i;
    }
  }
  job.rendezvous.state = round;
  const std::string whole = format_status(job, now);
  CHECK_THAT(whole, Contains("gpu-node-1.cluster.example.org") && Contains("4194000") && Contains("4712-4719\n"));
  const std::string narrow = format_status(job, now, 79);
  const std::string table = narrow.substr(narrow.find("  node"));
  CHECK(longest_line(table) <= 79);
  CHECK_THAT(table, Catch::Matches("  node  workers  address +heartbeat  step     samples/s  own s/step  waiting\n"
                                   " +0  0-7      gpu-node[^ ]* +1\\.2 s ago  118-120      164\\.8  0\\.69-0\\.76   "
                                   "0\\.01-0\\.08\n[^]*"));
}

// What a doctor makes of what another node, or a stranger at its port, sends: facts, orders to measure, what was
// measured; and of a line of `mdl-toolkit health`. Each line is a message.
#include <sys/socket.h>

#include <sstream>

#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/deep_exchange.hpp"
#include "launcher/doctor/report.hpp"
#include "launcher/doctor/socket.hpp"
#include "launcher/doctor_deep/health_comparison.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::doctor;
using fuzz::claim;
using fuzz::claim_printable;

constexpr std::int64_t kLargestNumber = std::int64_t{1} << 53;

/// Measures nothing, and says so of each rank.
class Measurer final : public doctor_deep::NodeMeasurer {
 public:
  std::uint16_t open_store(const std::string& /*address*/) override { return 29400; }

  doctor_deep::NodeHealth measure(const doctor_deep::HealthRanks& ranks, std::chrono::seconds limit,
                                  const std::vector<int>& /*others*/) override {
    claim(ranks.here > 0 && ranks.first >= 0 && ranks.first <= ranks.world_size - ranks.here, "ranks are of the job");
    claim(ranks.node >= 0 && ranks.node < ranks.nodes, "and so is the node");
    claim(ranks.master_port > 0 && !ranks.master_addr.empty(), "there is a place where they meet");
    claim(limit.count() > 0 && limit <= kDeepLimit, "the time is limited");
    doctor_deep::NodeHealth health;
    health.ranks.resize(2);
    for (int rank : {0, 1}) {
      health.ranks[static_cast<std::size_t>(rank)].local_rank = rank;
      health.ranks[static_cast<std::size_t>(rank)].matrix_product.value = 1'000'000;
    }
    return health;
  }
};

std::optional<NodeFacts> facts_of(const nlohmann::json& message) {
  try {
    return message.get<NodeFacts>();
  } catch (const nlohmann::json::exception&) { return std::nullopt; }
}

NodeFacts own_facts() {
  NodeFacts own;
  own.host = "node0";
  own.deep_ranks = 2;
  return own;
}

void tell(const std::vector<NodeFacts>& nodes, bool wants_gpus) {
  JobSpec job;
  job.nodes = 2;
  job.host = "node0";
  job.processes_here = 8;
  job.program = {"mdl-toolkit", "train"};
  job.wants_gpus = wants_gpus;
  const auto findings = examine(job, nodes);
  claim(!findings.empty(), "the doctor always has something to say");
  std::ostringstream table;
  print_table(table, findings, nodes.size(), false);
  claim(table.str().find('\x1b') == std::string::npos, "nothing from the network steers the terminal");
  report_json(job, findings, nodes).dump();
}

void read_health(std::string_view line) {
  const auto health = doctor_deep::parse_health_line(line);
  if (!health) { return claim_printable(health.error(), 100); }
  claim(health->rank >= 0 && health->local_rank >= 0, "ranks are none below 0");
  claim_printable(health->name, 100);
  claim_printable(health->type, 100);
  for (const doctor_deep::ComparedPart& part : doctor_deep::compared_parts()) {
    const doctor_deep::Measured& measured = (*health).*part.field;
    claim(!measured.value || (*measured.value >= 0 && *measured.value <= kLargestNumber), "a number can be one");
    claim_printable(measured.not_measured, 300);
  }
  const auto again = doctor_deep::parse_health_line(nlohmann::json(*health).dump());
  claim(again && *again == *health, "what was read can be told again");
}

/// What the doctor that collects makes of a node that answers with these messages.
void ask(const NodeFacts& facts, const std::vector<std::string>& answers) {
  int ends[2];
  claim(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "there are sockets");
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  for (const std::string& answer : answers) {
    const auto message = parse_message(answer);
    if (message && !send_message(theirs, *message)) { break; }
  }
  ::shutdown(theirs.get(), SHUT_WR);
  Measurer measurer;
  NodeFacts own = own_facts();
  NodeFacts peer = facts;
  measure_together(own, {{ours, peer}}, measurer);
  tell({own, peer}, true);
}

/// What a node does that is ordered to measure, again and again.
void obey(const std::vector<std::string>& orders) {
  Measurer measurer;
  NodeFacts own = own_facts();
  DeepClient client(own, &measurer, "10.0.0.7");
  int measured = 0;
  for (const std::string& order : orders) {
    const auto message = parse_message(order);
    if (!message) { continue; }
    try {
      measured += client.answer(*message).at("health").at("problem").get<std::string>().empty() ? 1 : 0;
    } catch (const nlohmann::json::exception&) {}  // as exchange.cpp takes it
  }
  claim(measured <= 2, "a node measures twice at most");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream text{std::string(fuzz::text_of(data, size))};
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) { lines.push_back(line); }
  for (const std::string& line : lines) { read_health(line); }
  obey(lines);
  const auto message = lines.empty() ? std::nullopt : parse_message(lines.front());
  const auto facts = message ? facts_of(*message) : std::nullopt;
  if (!facts) { return 0; }
  tell({own_facts(), *facts}, size % 2 == 0);
  ask(*facts, {lines.begin() + 1, lines.end()});
  return 0;
}
